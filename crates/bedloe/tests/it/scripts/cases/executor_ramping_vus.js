import { sleep } from 'k6';
import { Counter } from 'k6/metrics';
const begun = new Counter('begun');
export const options = {
  scenarios: {
    a: { executor: 'ramping-vus', startVUs: 2, stages: [{ duration: '0s', target: 3 }, { duration: '1s', target: 3 }, { duration: '0s', target: 0 }], gracefulRampDown: '50ms', gracefulStop: '0s' },
    b: { executor: 'ramping-vus', startVUs: 1, stages: [{ duration: '500ms', target: 1 }, { duration: '0', target: 0 }], gracefulRampDown: '2s', exec: 'slow', startTime: '100ms' },
  },
  thresholds: { 'iterations{scenario:a}': ['count==6'], 'begun{scenario:a}': ['count==9'], 'iterations{scenario:b}': ['count==1'] },
};
export default function () { begun.add(1); sleep(0.4); }
export function slow() { sleep(1.2); }
