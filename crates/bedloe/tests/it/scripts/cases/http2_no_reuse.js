import http from 'k6/http';
export const options = { noConnectionReuse: true };
export default function () {
  const seen = [0, 1, 2].map(() => http.get(`${__ENV.TLS_URL}/connection`));
  console.log(seen.map((r) => r.proto), new Set(seen.map((r) => r.body)).size);
}
