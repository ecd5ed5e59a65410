import http from 'k6/http';
export const options = { noVUConnectionReuse: true, iterations: 3 };
export default function () {
  const [first, second] = [http.get(`${__ENV.TLS_URL}/connection`), http.get(`${__ENV.TLS_URL}/connection`)];
  console.log(first.timings.connecting > 0, first.body === second.body, first.proto);
}
