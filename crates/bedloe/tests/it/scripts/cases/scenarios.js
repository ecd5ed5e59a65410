import http from 'k6/http';

export const options = {
  scenarios: {
    first: { executor: 'per-vu-iterations', vus: 2, iterations: 2, exec: 'one', env: { WHO: 'first' }, tags: { part: 'a' } },
    second: { executor: 'shared-iterations', vus: 1, iterations: 3, exec: 'two', startTime: '1s' },
  },
  thresholds: {
    'http_reqs{scenario:first}': ['count==4'],
    'http_reqs{part:a}': ['count==4'],
    'iterations{scenario:second}': ['count==3'],
  },
};

export function one() { http.get(`${__ENV.URL}/echo?${__ENV.WHO}`); }
export function two() { if (__ENV.WHO !== undefined) throw new Error(__ENV.WHO); }
