import http from 'k6/http';
export default function () {
  for (const coding of ['br', 'deflate', 'zstd']) {
    const r = http.get(`${__ENV.URL}/coding/${coding}`);
    console.log(coding, r.status, r.body);
  }
}
