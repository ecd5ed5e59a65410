import { Counter, Gauge, Rate, Trend } from 'k6/metrics';
const count = new Counter('cc'), gauge = new Gauge('gg'), rate = new Rate('rr'), trend = new Trend('tt');
const early = [];
const tried = (what, f) => { try { console.log(what, f()); } catch (e) { console.log(what, 'threw'); } };
const made = [undefined, 'a', 'has space', '1abc', 'a.b', 'x'.repeat(200)].map((name) => () => new Counter(name).name);
made.push(() => new Counter('cc').name, () => new Gauge('cc').name, () => new Trend('tt', true).name, () => count.add(1));
for (const f of made) try { early.push(f()); } catch (e) { early.push('threw'); }
export const options = { thresholds: { 'rr{a:b}': ['rate>0'], rr: ['rate>0.5'] } };
export default function () {
  console.log(early.join());
  for (const metric of [count, gauge, rate, trend]) {
    for (const value of [1, 0, '5', true, [3], 1.5]) console.log(metric.name, String(value), metric.add(value));
    for (const value of ['x', null, undefined, NaN, {}]) console.log(metric.name, String(value), metric.add(value));
  }
  console.log(JSON.stringify(count), rate.add(2), rate.add(-1), rate.add(1, { a: 'b' }), count.add(1, { b: undefined ?? '', d: true, e: 1.5 }));
  tried('tag', () => count.add(1, { a: {} }));
  tried('late', () => new Counter('zz'));
}
