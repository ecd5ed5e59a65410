import http from 'k6/http';
import { check } from 'k6';
export const options = { iterations: 2, thresholds: { 'http_reqs{proto:HTTP/2.0}': ['count==22'] } };
export default function () {
  const url = __ENV.TLS_URL;
  const first = http.get(`${url}/connection`);
  console.log(first.status, first.proto, first.status_text, first.tls_version, first.body.split(' ')[0]);
  const batch = http.batch(Array(6).fill(`${url}/connection`));
  console.log(new Set([first, ...batch].map((r) => r.body)).size);
  check(batch, { 'no other connection': (all) => all.every((r) => r.timings.connecting === 0) });
  const posted = http.post(`${url}/echo?a=b`, JSON.stringify({ a: 1 }), { headers: { 'Content-Type': 'application/json' } });
  console.log(posted.json('method'), posted.json('target'), posted.json('body'), posted.json('headers.content-type'));
  const text = http.get(`${url}/text`);
  console.log(text.headers['X-One'], text.headers['X-Many'], Object.keys(text.headers).includes('x-one'));
  console.log(http.get(`${url}/redirect/2`).json('target'), http.get(`${url}/gzip`).body);
}
