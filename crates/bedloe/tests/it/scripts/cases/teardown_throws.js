export const options = { thresholds: { iterations: ['count>5'] } };
export default function () {}
export function teardown() { throw new Error('no teardown'); }
