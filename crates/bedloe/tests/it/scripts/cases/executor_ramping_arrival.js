export const options = {
  scenarios: { a: { executor: 'ramping-arrival-rate', startRate: 10, timeUnit: '1s', preAllocatedVUs: 5, stages: [{ duration: '1s', target: 30 }, { duration: '500ms', target: 1 }], startTime: '100ms', gracefulStop: '1s' } },
  thresholds: { 'iterations{scenario:a}': ['count==27'] },
};
export default function () {}
