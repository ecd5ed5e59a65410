import { sleep } from 'k6';
import exec from 'k6/execution';
import { Counter } from 'k6/metrics';
const seen = new Counter('seen');
export const options = {
  scenarios: { a: { executor: 'constant-vus', vus: 2, duration: '1s', startTime: '200ms', gracefulStop: '2s', exec: 'work', env: { WHO: 'a' }, tags: { part: 'x' } } },
  thresholds: { 'seen{part:x}': ['count==4'], 'iterations{scenario:a}': ['count==4'], iteration_duration: ['min>=550'] },
};
export function work() { sleep(0.6); seen.add(1); if (exec.vu.idInTest > 2 || __ENV.WHO !== 'a') throw new Error('who'); }
