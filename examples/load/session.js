// Users who log in, look at a few pages with the cookie that they got, and think in between. Each iteration is a new
// session: k6 empties the cookie jar between iterations. PAUSE is the time between two pages, in seconds. The rate
// session_kept says how many pages were served by the server that holds the session.
//
//   bedloe load -e URL=http://127.0.0.1:8080 examples/load/session.js
//   bedloe lab --script examples/load/session.js
import http from 'k6/http';
import { check, group, sleep } from 'k6';
import { Rate, Trend } from 'k6/metrics';

const base = `${__ENV.URL || 'http://127.0.0.1:8080'}/accounts-external/api`;
const pause = Number(__ENV.PAUSE || 1);
const duration = new Trend('session_duration', true);
const kept = new Rate('session_kept');

export const options = {
  vus: Number(__ENV.VUS || 20),
  duration: __ENV.DURATION || '1m',
  thresholds: { checks: ['rate>0.99'], session_duration: ['p(95)<10000'] },
};

export default function () {
  const began = Date.now();
  group('login', () => {
    const res = http.post(`${base}/session`, { user: `user-${__VU}`, password: 'secret' });
    check(res, { 'a session was given': (r) => r.status === 200 && r.cookies.JSESSIONID !== undefined });
  });
  group('pages', () => {
    for (const page of ['overview', 'orders', 'account']) {
      const res = http.get(`${base}/session?page=${page}`, { tags: { name: 'page' } });
      check(res, { 'the page is there': (r) => r.status === 200 && r.json('id') !== '' });
      kept.add(res.status === 200 && res.json('n') > 1);
      sleep(pause);
    }
  });
  duration.add(Date.now() - began);
}
