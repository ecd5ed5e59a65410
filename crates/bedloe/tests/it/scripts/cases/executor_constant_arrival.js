import { sleep } from 'k6';
export const options = {
  scenarios: {
    a: { executor: 'constant-arrival-rate', rate: 20, timeUnit: '2s', duration: '1050ms', preAllocatedVUs: 2, exec: 'fast', startTime: '50ms' },
    busy: { executor: 'constant-arrival-rate', rate: 10, duration: '1050ms', preAllocatedVUs: 1, maxVUs: 1, gracefulStop: '100ms', exec: 'slow' },
  },
  thresholds: { 'iterations{scenario:a}': ['count==11'], 'iterations{scenario:busy}': ['count==0'], 'dropped_iterations{scenario:busy}': ['count==10'], dropped_iterations: ['count==10'] },
};
export function fast() {}
export function slow() { sleep(5); }
