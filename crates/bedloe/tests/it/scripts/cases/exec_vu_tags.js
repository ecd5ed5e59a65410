import exec from 'k6/execution';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import { check, group } from 'k6';
const c = new Counter('ccc');
export const options = {
  vus: 1, iterations: 3, tags: { top: 'x' },
  thresholds: {
    'ccc{own:a}': ['count==1'], 'ccc{own:b}': ['count==4'], 'ccc{top:x}': ['count==5'], 'http_reqs{own:b}': ['count==2'], 'ccc{group:::g}': ['count==2'], 'checks{own:b}': ['rate==1'],
    'ccc{ingroup:y}': ['count==2'], 'iterations{own:b}': ['count==2'], 'ccc{top:z}': ['count==0'], 'ccc{scenario:q}': ['count==1'], 'iteration_duration{own:b}': ['max>=0'],
  },
};
const tried = (what, f) => { try { console.log(what, f()); } catch (e) { console.log(what, 'threw'); } };
const sorted = (object) => JSON.stringify(Object.entries(object).sort());
const early = [];
for (const f of [() => exec.vu.idInTest, () => exec.vu.tags, () => exec.instance.vusActive, () => exec.test.options]) try { f(); } catch (e) { early.push('threw'); }
export function setup() { console.log(sorted(exec.vu.tags), sorted(exec.vu.metrics.tags), exec.instance.vusActive); }
export default function () {
  if (__ITER === 0) console.log(early.join());
  console.log(sorted(exec.vu.tags), 'own' in exec.vu.tags, exec.vu.tags.nope);
  if (__ITER < 2) {
    if (__ITER === 0) { exec.vu.tags.own = 'a'; c.add(1); }
    exec.vu.metrics.tags.own = 'b';
    http.get(`${__ENV.URL}/text`);
    check(1, { one: true });
    c.add(1);
    group('g', () => { c.add(1); exec.vu.tags.ingroup = 'y'; });
    console.log(sorted(exec.vu.tags), Object.keys(exec.vu.tags).sort().join());
    exec.vu.metrics.metadata.trace = '1';
    console.log(JSON.stringify(exec.vu.metrics.metadata));
    if (__ITER === 1) { delete exec.vu.tags.ingroup; delete exec.vu.metrics.metadata.trace; }
  } else {
    delete exec.vu.tags.own;
    exec.vu.tags.n = 5;
    exec.vu.tags.b = true;
    exec.vu.tags.scenario = 'q';
    tried('object', () => { exec.vu.tags.own = { a: 1 }; });
    tried('null', () => { exec.vu.tags.own = null; });
    tried('all', () => { exec.vu.tags = {}; });
    tried('metrics', () => { exec.vu.metrics.tags = {}; });
    tried('id', () => { exec.vu.idInTest = 7; });
    console.log(sorted(exec.vu.tags), JSON.stringify(exec.vu.metrics.metadata));
  }
  if (__ITER === 2) c.add(0 + 1);
  console.log(exec.instance.iterationsCompleted, exec.instance.iterationsInterrupted, exec.instance.vusActive, exec.instance.vusInitialized);
}
export function teardown() { tried('instance', () => exec.instance.vusActive); tried('scenario', () => exec.scenario.name); console.log(sorted(exec.vu.tags)); }
