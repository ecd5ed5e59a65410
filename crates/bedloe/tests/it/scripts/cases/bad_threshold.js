export const options = { thresholds: { nothing_there: ['count>1'] } };
export default function () {}
