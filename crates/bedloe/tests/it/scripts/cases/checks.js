import { check, group } from 'k6';

export const options = { iterations: 3, thresholds: { checks: ['rate>0.9'], 'checks{mine:yes}': ['rate==1'] } };

export default function () {
  const all = check(5, { five: (v) => v === 5, 'even': (v) => v % 2 === 0, value: true, zero: 0, text: 'x' });
  console.log(all, check('', {}), check(1, { one: 1 }, { mine: 'yes' }));
  group('outer', () => {
    check(null, { 'is null': (v) => v === null });
    const returned = group('inner', () => {
      check(undefined, { five: () => __ITER > 0 });
      return 'back';
    });
    console.log(returned);
  });
}
