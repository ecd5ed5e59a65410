import exec from 'k6/execution';

export const options = { vus: 1, iterations: 5 };
export default function () {
  console.log('iteration', __ITER);
  if (__ITER === 1) { try { exec.test.abort('enough'); } catch (e) { console.log('caught'); } }
}
export function teardown() { console.log('teardown'); }
