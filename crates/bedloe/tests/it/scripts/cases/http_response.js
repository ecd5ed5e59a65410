import http from 'k6/http';

export default function () {
  const r = http.get(`${__ENV.URL}/text`, { headers: { 'X-Asked': 'yes' } });
  console.log(JSON.stringify(Object.entries(r.headers).sort()), r.body, r.body.length, r.remote_ip, typeof r.remote_port);
  console.log(r.request.method, r.request.body, JSON.stringify(r.request.headers['X-Asked']), r.request.url);
  console.log(Object.keys(r.timings).sort().join(), typeof r.timings.duration, r.timings.duration > 0);
  console.log(r.tls_version, r.tls_cipher_suite, r.headers['X-Many'], r.headers['x-many']);
  try { r.json(); } catch (e) { console.log('no json'); }
  const json = http.post(`${__ENV.URL}/echo`, '{"a":[{"b":1},{"b":2}]}').json();
  console.log(json.method, json.body);
  const paths = http.post(`${__ENV.URL}/echo`, 'x');
  console.log(paths.json('method'), paths.json('headers.content-length'), paths.json('nothing'), paths.json('headers.#'));
}
