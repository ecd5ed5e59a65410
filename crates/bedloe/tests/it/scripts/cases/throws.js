import { fail } from 'k6';

export const options = { iterations: 4 };

function deep() { throw new Error('deep'); }

export default function () {
  if (__ITER === 0) deep();
  if (__ITER === 1) fail('failed on purpose');
  if (__ITER === 2) { const nothing = undefined; nothing.x = 1; }
  console.log('reached');
}
