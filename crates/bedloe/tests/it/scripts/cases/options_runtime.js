export const options = { iterations: '2', noSummary: true, summaryMode: 'full', noThresholds: true, thresholds: { iterations: ['count>5'] } };
export default function () {}
