import http from 'k6/http';

export const options = {
  discardResponseBodies: true,
  scenarios: {
    steady: { executor: 'constant-arrival-rate', rate: 33, timeUnit: '1s', duration: '1010ms', preAllocatedVUs: 5, maxVUs: 10 },
  },
  thresholds: { http_req_failed: ['rate<0.01'], http_req_duration: ['p(95)<1000', 'avg<0'] },
};

export default function () { http.get(`${__ENV.URL}/text`); }
