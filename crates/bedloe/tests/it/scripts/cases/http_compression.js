import http from 'k6/http';
export default function () {
  for (const compression of ['gzip', 'deflate', 'br', 'zstd', 'gzip, br']) {
    const r = http.post(`${__ENV.URL}/echo`, 'hello', { compression });
    console.log(compression, r.status, r.json('headers.content-encoding'), r.request.body, r.request.headers['Content-Encoding']);
  }
  const r = http.post(`${__ENV.URL}/echo`, 'hello', { compression: 'nothing' });
  console.log(r.status, r.error_code);
  const none = http.get(`${__ENV.URL}/echo`, { compression: 'gzip' });
  console.log(none.status, none.json('headers.content-encoding'));
}
