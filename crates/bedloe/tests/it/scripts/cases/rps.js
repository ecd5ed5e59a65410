import http from 'k6/http';
export const options = { rps: 20, vus: 4, iterations: 12 };
export function setup() { return Date.now(); }
export default function () { http.get(__ENV.URL); }
export function teardown(began) {
  const ms = Date.now() - began;
  console.log(ms > 500 && ms < 5000);
}
