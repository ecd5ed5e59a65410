// module
let calls = 0;
export const name = 'module';
export function count() { calls += 1; return calls; }
export default function doubled(x) { return x * 2; }
