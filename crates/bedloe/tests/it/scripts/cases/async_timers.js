import { setTimeout as after } from 'k6/timers';

export const options = { iterations: 2 };

export default function () {
  const seen = [];
  after((a, b) => { seen.push(a + b); console.log(seen.join()); }, 60, 'x', 'y');
  setTimeout(() => seen.push('first'), 5);
  const never = setTimeout(() => seen.push('never'), 10);
  clearTimeout(never);
  let times = 0;
  const id = setInterval(() => { times += 1; seen.push('i' + times); if (times === 3) clearInterval(id); }, 10);
  Promise.resolve().then(() => seen.push('job'));
  seen.push('sync');
}
