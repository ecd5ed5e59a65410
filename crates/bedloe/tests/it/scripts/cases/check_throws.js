import { check } from 'k6';

export default function () {
  check(1, { fine: () => true, bad: () => { throw new Error('in a check'); }, never: () => true });
  console.log('not reached');
}
