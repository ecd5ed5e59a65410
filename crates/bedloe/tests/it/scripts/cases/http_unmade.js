import http from 'k6/http';
export default function () {
  for (const params of [{ timeout: 'nothing' }, { responseType: 'nothing' }, { compression: 'nothing' }]) {
    const r = http.post(`${__ENV.URL}/echo`, 'a', params);
    console.log(r.status, r.error_code, r.request === null);
  }
}
