import http from 'k6/http';

export const options = { thresholds: { http_req_failed: ['rate==1'] } };

export default function () {
  const r = http.get('http://127.0.0.1:1/');
  console.log(r.status, r.error_code, r.error, r.body, JSON.stringify(r.headers), r.timings.duration, r.url);
  const late = http.get(`${__ENV.URL}/sleep/2000`, { timeout: 200 });
  console.log(late.status, late.error_code, late.error);
  const text = http.get(`${__ENV.URL}/sleep/2000`, { timeout: '0.2s' });
  console.log(text.status, text.error_code);
}
