import http from 'k6/http';

export default function () {
  const url = __ENV.URL.replace('://', '://user:pass%20word@');
  const r = http.get(`${url}/echo`);
  console.log(r.json().headers.authorization, r.url, r.request.url);
  console.log(http.get(`${url}/echo`, { auth: 'basic' }).json().headers.authorization);
  console.log(http.get(`${url}/echo`, { headers: { Authorization: 'Own x' } }).json().headers.authorization);
}
