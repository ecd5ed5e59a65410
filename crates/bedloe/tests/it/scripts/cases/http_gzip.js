import http from 'k6/http';

export default function () {
  const r = http.get(`${__ENV.URL}/gzip`, { headers: { 'Accept-Encoding': 'gzip' } });
  console.log(r.body, r.body.length, r.headers['Content-Encoding']);
  console.log(http.get(`${__ENV.URL}/gzip`, { responseType: 'binary' }).body.byteLength);
}
