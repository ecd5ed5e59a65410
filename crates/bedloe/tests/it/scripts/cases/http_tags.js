import http from 'k6/http';

export const options = {
  thresholds: {
    'http_reqs{name:items}': ['count==3'],
    'http_reqs{name:URL}': ['count==0'],
    'http_reqs{kind:own}': ['count==1'],
    'http_reqs{method:POST}': ['count==1'],
    'http_req_duration{expected_response:false}': ['max<5000'],
  },
};

export default function () {
  for (let i = 0; i < 3; i++) http.get(`${__ENV.URL}/echo?${i}`, { tags: { name: 'items' } });
  http.post(`${__ENV.URL}/echo`, 'x', { tags: { kind: 'own' } });
  http.get(http.url`${__ENV.URL}/echo?${1}`);
  http.get(`${__ENV.URL}/status/500`);
}
