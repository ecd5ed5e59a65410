import { sleep } from 'k6';
import { Rate } from 'k6/metrics';
const bad = new Rate('bad');
export const options = {
  scenarios: { a: { executor: 'constant-vus', vus: 1, duration: '30s' } },
  thresholds: { bad: [{ threshold: 'rate<0.5', abortOnFail: true, delayAbortEval: '3s' }] },
};
export default function () { bad.add(true); sleep(30); }
export function teardown() { console.log('teardown'); }
export function handleSummary(data) {
  const ms = data.state.testRunDurationMs;
  return { stdout: `${ms > 3000 && ms < 9000} ${JSON.stringify(data.metrics.bad.thresholds)}\n`, './c.txt': 'y' };
}
