import http from 'k6/http';
export default function () {
  const all = http.batch(Array(6).fill(`${__ENV.TLS_URL}/connection`));
  console.log(all.map((r) => r.proto), new Set(all.map((r) => r.body)).size);
}
