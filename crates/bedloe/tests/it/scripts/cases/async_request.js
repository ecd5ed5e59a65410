import http from 'k6/http';
import { check } from 'k6';

export const options = { iterations: 2 };

export default async function () {
  const url = `${__ENV.URL}/echo`;
  const r = await http.asyncRequest('POST', url, 'a body', { tags: { own: 'x' } });
  check(r, { 'is 200': (r) => r.status === 200, body: (r) => r.json().body === 'a body' });
  const began = Date.now();
  const all = await Promise.all([1, 2, 3].map(() => http.asyncRequest('GET', `${__ENV.URL}/sleep/200`)));
  console.log(all.map((r) => r.body).join(), Date.now() - began < 500);
  await http.asyncRequest('GET', url).then((r) => console.log('then', r.status));
  const failed = await http.asyncRequest('GET', 'http://127.0.0.1:1/');
  console.log(failed.status, failed.error_code);
}
