// args: --vus -1 --iterations 1
export default function () {}
