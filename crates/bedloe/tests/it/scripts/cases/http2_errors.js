import http from 'k6/http';
export default function () {
  const url = __ENV.TLS_URL;
  const reset = http.get(`${url}/close`);
  console.log(reset.status, reset.error_code, reset.proto);
  const late = http.get(`${url}/sleep/5000`, { timeout: '100ms' });
  console.log(late.status, late.error_code);
  const failed = http.get(`${url}/status/503`);
  console.log(failed.status, failed.error_code, failed.status_text, failed.body);
  const none = http.get(`${url}/status/204`);
  console.log(none.status, none.body);
  const head = http.head(`${url}/bytes/100`);
  console.log(head.status, head.body.length);
  const large = http.get(`${url}/bytes/3000000`);
  console.log(large.status, large.body.length);
  const sent = http.post(`${url}/echo`, 'x'.repeat(200000));
  console.log(sent.json('body').length);
}
