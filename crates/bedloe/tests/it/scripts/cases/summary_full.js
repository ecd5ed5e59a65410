// args: --summary-mode=full
import http from 'k6/http';
import { check, group } from 'k6';
import { Trend } from 'k6/metrics';
const t = new Trend('mine', true);
export const options = {
  scenarios: { one: { executor: 'per-vu-iterations', vus: 1, iterations: 2, exec: 'one' }, two: { executor: 'shared-iterations', vus: 1, iterations: 1, exec: 'two' } },
  thresholds: { 'http_reqs{scenario:one}': ['count==4'], mine: ['max<1'] },
};
export function one() {
  group('g1', () => {
    http.get(`${__ENV.URL}/text`);
    t.add(1500);
    group('g2', () => { http.get(`${__ENV.URL}/text`); check(1, { deep: true, 'deep fail': false }); });
  });
  check(0, { zero: (v) => v === 0 });
}
export function two() { group('only two', () => { check(1, { x: false }); t.add(2); }); }
