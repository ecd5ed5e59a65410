import http from 'k6/http';
export const options = { noVUConnectionReuse: true, iterations: 3 };
export default function () {
  const first = http.get(`${__ENV.URL}/text`);
  const second = http.get(`${__ENV.URL}/text`);
  console.log(first.timings.connecting > 0, second.timings.connecting === 0);
}
