import http from 'k6/http';

export const options = { thresholds: { http_req_failed: ['rate<0.1'], 'http_reqs{status:404}': ['count==1'] } };

export default function () {
  for (const status of [200, 204, 301, 304, 400, 404, 500, 503]) {
    const r = http.get(`${__ENV.URL}/status/${status}`, { redirects: 0 });
    console.log(r.status, JSON.stringify(r.body), r.error, r.error_code, r.url);
  }
}
