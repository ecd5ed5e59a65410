export const options = { iterations: 1, noConnectionReuse: 'yes' };
export default function () {}
