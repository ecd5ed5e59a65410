// Users who log in, look at a few pages with the cookie that they got, and think in between. Each iteration is a new
// session: k6 empties the cookie jar between iterations. PAUSE is the time between two pages, in seconds.
//
//   bedloe load -e URL=http://127.0.0.1:8080 examples/load/session.js
import http from 'k6/http';
import { check, group, sleep } from 'k6';
import { Trend } from 'k6/metrics';

const base = __ENV.URL || 'http://127.0.0.1:8080';
const pause = Number(__ENV.PAUSE || 1);
const session = new Trend('session_duration', true);

export const options = {
  vus: Number(__ENV.VUS || 20),
  duration: __ENV.DURATION || '1m',
  thresholds: { checks: ['rate>0.99'], session_duration: ['p(95)<10000'] },
};

export default function () {
  const began = Date.now();
  group('login', () => {
    const res = http.post(`${base}/cookie/session/user-${__VU}`, { user: `user-${__VU}`, password: 'secret' });
    check(res, { 'a session was given': (r) => r.cookies.session !== undefined });
  });
  group('pages', () => {
    for (const page of ['overview', 'orders', 'account']) {
      const res = http.get(`${base}/echo?${page}`, { tags: { name: 'page' } });
      check(res, { 'the page knows the session': (r) => r.body.includes(`user-${__VU}`) });
      sleep(pause);
    }
  });
  session.add(Date.now() - began);
}
