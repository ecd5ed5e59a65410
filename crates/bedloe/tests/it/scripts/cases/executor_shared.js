import { sleep } from 'k6';
import { Counter } from 'k6/metrics';
const done = new Counter('done');
export const options = {
  scenarios: {
    a: { executor: 'shared-iterations', vus: 3, iterations: 7, maxDuration: '10s', tags: { part: 'a' } },
    late: { executor: 'shared-iterations', vus: 2, iterations: 10, maxDuration: '1s', gracefulStop: '0s', exec: 'slow', startTime: '100ms' },
  },
  thresholds: { 'iterations{scenario:a}': ['count==7'], 'done{part:a}': ['count==7'], 'iterations{scenario:late}': ['count==2'], 'dropped_iterations{scenario:late}': ['count==6'], dropped_iterations: ['count==6'] },
};
export default function () { done.add(1); }
export function slow() { sleep(0.7); }
