import http from 'k6/http';
import { Counter } from 'k6/metrics';
const c = new Counter('ccc');
export const options = {
  tags: { a: 'top', b: 'top' }, scenarios: { s: { executor: 'per-vu-iterations', tags: { a: 'scenario' } } },
  thresholds: {
    'ccc{a:scenario}': ['count==1'], 'ccc{a:own}': ['count==1'], 'http_reqs{a:scenario,b:own}': ['count==1'], 'iterations{a:scenario,b:top}': ['count==1'],
    'http_reqs{name:N,url:N}': ['count==1'], 'http_reqs{error_code:1}': ['count==1'], 'http_reqs{method:m}': ['count==0'], 'http_req_failed{name:N}': ['rate==0'],
  },
};
export default function () {
  c.add(1);
  c.add(1, { a: 'own' });
  http.get(`${__ENV.URL}/text`, { tags: { b: 'own', method: 'm', error_code: '1' } });
  http.get(`${__ENV.URL}/text`, { tags: { name: 'N', url: 'q' } });
  http.get(`${__ENV.URL}/status/500`, { responseCallback: null });
}
