// From nothing to 4,000 requests a second in 16 steps of 30 s, each a rise and a level, then 180 s at the top. SCALE makes
// rates and times smaller: 0.01 is 40 requests a second in a few seconds.
//
//   bedloe load -e URL=http://127.0.0.1:8080 examples/load/ramp.js
//   bedloe lab --script examples/load/ramp.js
import http from 'k6/http';
import { check } from 'k6';

const url = `${__ENV.URL || 'http://127.0.0.1:8080'}/accounts-external/api/hello`;
const scale = Number(__ENV.SCALE || 1);
const steps = 16;

const time = (seconds) => `${Math.max(10, Math.round(seconds * scale * 1000))}ms`;
const stages = [];
for (let step = 1; step <= steps; step += 1) {
  stages.push({ duration: time(30), target: Math.round((4000 * scale * step) / steps) });
}
stages.push({ duration: time(180), target: Math.round(4000 * scale) });

export const options = {
  scenarios: {
    ramp: { executor: 'ramping-arrival-rate', startRate: 0, timeUnit: '1s', stages, preAllocatedVUs: 600, maxVUs: 3000 },
  },
  thresholds: { http_req_failed: ['rate<0.01'] },
};

export default function () {
  const res = http.get(url);
  check(res, { 'status is 200': (r) => r.status === 200 });
}
