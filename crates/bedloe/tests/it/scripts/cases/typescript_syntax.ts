const a: number = 1;
export default function () { const b: = a; }
