import http from 'k6/http';
import { check, sleep } from 'k6';

export const options = { vus: 2, iterations: 6 };

export default function () {
  const res = http.get(`${__ENV.URL}/echo`);
  check(res, { 'is 200': (r) => r.status === 200, 'is json': (r) => r.json().method === 'GET' });
  sleep(0.01);
}
