import http from 'k6/http';

export const options = { thresholds: { http_req_failed: ['rate<0.5'], http_reqs: ['count==5'] } };

export default function () {
  http.get(`${__ENV.URL}/status/404`);
  http.get(`${__ENV.URL}/status/404`, { responseCallback: http.expectedStatuses(404) });
  http.setResponseCallback(http.expectedStatuses({ min: 400, max: 499 }, 200));
  http.get(`${__ENV.URL}/status/418`);
  http.get(`${__ENV.URL}/status/500`);
  http.setResponseCallback(null);
  http.get(`${__ENV.URL}/status/500`);
}
