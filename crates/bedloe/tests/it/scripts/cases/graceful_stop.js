import http from 'k6/http';
import { sleep } from 'k6';

export const options = {
  scenarios: { a: { executor: 'constant-vus', vus: 1, duration: '1s', gracefulStop: '1s', exec: 'slow' },
    b: { executor: 'per-vu-iterations', vus: 1, iterations: 1, maxDuration: '1s', gracefulStop: '0s', exec: 'asleep' } },
  thresholds: { 'iterations{scenario:a}': ['count==1'], 'iterations{scenario:b}': ['count==0'] },
};

export function slow() { http.get(`${__ENV.URL}/sleep/1500`); console.log('over'); }
export function asleep() { sleep(20); }
export function teardown() { console.log('teardown'); }
