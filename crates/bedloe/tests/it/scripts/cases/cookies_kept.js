import http from 'k6/http';

export const options = { vus: 1, iterations: 2, noCookiesReset: true };
export default function () {
  console.log(http.get(`${__ENV.URL}/echo`).json().headers.cookie);
  http.get(`${__ENV.URL}/cookie/kept/yes`);
}
