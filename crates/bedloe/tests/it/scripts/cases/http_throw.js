import http from 'k6/http';

export const options = { throw: true };

export default function () {
  try { http.get('http://127.0.0.1:1/'); } catch (e) { console.log('thrown'); }
  try { http.get('::bad'); } catch (e) { console.log('thrown too'); }
  console.log(http.get(`${__ENV.URL}/status/500`).status);
}
