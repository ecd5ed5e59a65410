import { Counter, Gauge, Rate, Trend } from 'k6/metrics';
import { check, group } from 'k6';
import http from 'k6/http';
const c = new Counter('c1'), g = new Gauge('g1'), r = new Rate('r1'), t = new Trend('t1'), tt = new Trend('t2', true);
const none = [new Trend('none'), new Rate('nr'), new Counter('nc'), new Gauge('ng')];
export const options = {
  iterations: 2, summaryTrendStats: ['avg', 'min', 'med', 'max', 'p(90)', 'p(99.9)', 'count'], summaryTimeUnit: 'us',
  thresholds: {
    c1: ['count>0', 'rate>0', 'count==5'], g1: ['value<3', 'value>=2'], r1: ['rate>0.4', 'rate<=0.5'], t1: ['avg==2.5', 'p(99.9)<5', 'med==2.5', 'p(0)==1', 'p(100)==4', 'min>=1'],
    't2{a:b}': ['max<100'], none: ['p(95)<1', 'avg==0'], nr: ['rate==1'], nc: ['count==0'], ng: ['value==0'], 'checks{k:v}': ['rate>0.9'], 'http_reqs{expected_response:true}': ['count==2'],
    'http_req_duration{status:404}': ['p(95)<5000000'], 'http_req_duration{ status : 200 , method:GET }': ['max>0'], 'group_duration{group:::g::h}': ['max>=0'],
  },
};
export default function () {
  c.add(__ITER === 0 ? 2 : 3);
  g.add(__ITER + 1);
  r.add(__ITER);
  t.add(__ITER * 2 + 1);
  t.add(__ITER * 2 + 2);
  tt.add(5, { a: 'b' });
  tt.add(500);
  check(1, { ok: true }, { k: 'v' });
  group('g', () => group('h', () => check(1, { in: none.length === 4 })));
  http.get(`${__ENV.URL}/text`);
  http.get(`${__ENV.URL}/status/404`);
}
