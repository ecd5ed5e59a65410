const text = open('./not_there.txt');
export default function () {}
