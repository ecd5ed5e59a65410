import { check } from 'k6';

export const options = { iterations: 2 };

export default async function () {
  const value = await Promise.resolve(5);
  check(value, { awaited: (v) => v === 5 });
  const all = await Promise.all([1, Promise.resolve(2), (async () => 3)()]);
  console.log(all.join());
  if (__ITER === 1) throw new Error('async thrown');
}
