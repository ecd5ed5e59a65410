import { sleep } from 'k6';
export const options = {
  scenarios: {
    a: { executor: 'per-vu-iterations', vus: 3, iterations: 2 },
    late: { executor: 'per-vu-iterations', vus: 2, iterations: 4, maxDuration: '1s', gracefulStop: '3s', exec: 'slow', startTime: '50ms' },
  },
  thresholds: { 'iterations{scenario:a}': ['count==6'], 'iterations{scenario:late}': ['count==4'], dropped_iterations: ['count==4'] },
};
export default function () {}
export function slow() { sleep(0.7); }
