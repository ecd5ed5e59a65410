import http from 'k6/http';
import { check } from 'k6';

export const options = { vus: 1, iterations: 2, thresholds: { 'http_reqs{group:::setup}': ['count==1'] } };

export function setup() {
  console.log('setup', __VU, typeof __ITER);
  const res = http.get(`${__ENV.URL}/echo`);
  check(res, { 'set up': (r) => r.status === 200 });
  return { list: [1, 2], nothing: undefined, text: 'x' };
}

export default function (data) {
  console.log(JSON.stringify(data.list), data.nothing, data.text, __VU, __ITER);
  data.list.push(__ITER);
}

export function teardown(data) {
  console.log('teardown', JSON.stringify(data.list), data.text, __VU, typeof __ITER);
}
