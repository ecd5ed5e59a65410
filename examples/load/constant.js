// So many requests a second, whatever becomes of the earlier ones: 8,000 for five minutes, or what RATE and DURATION say.
//
//   bedloe load -e URL=http://127.0.0.1:8080 examples/load/constant.js
//   bedloe lab --script examples/load/constant.js
import http from 'k6/http';
import { check } from 'k6';

const url = `${__ENV.URL || 'http://127.0.0.1:8080'}/accounts-external/api/hello`;

export const options = {
  scenarios: {
    constant: {
      executor: 'constant-arrival-rate',
      rate: Number(__ENV.RATE || 8000),
      timeUnit: '1s',
      duration: __ENV.DURATION || '5m',
      preAllocatedVUs: 1200,
      maxVUs: 6000,
    },
  },
  thresholds: { http_req_failed: ['rate<0.01'], http_req_duration: ['p(95)<500'] },
};

export default function () {
  const res = http.get(url);
  check(res, { 'status is 200': (r) => r.status === 200 });
}
