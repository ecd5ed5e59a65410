import { SharedArray } from 'k6/data';

const data = new SharedArray('users', () => [{ name: 'a', tags: [1, 2] }, { name: 'b' }, 'text', 4]);

// One user: of two it would be chance whose lines come first.
export const options = { vus: 1, iterations: 2 };

export default function () {
  console.log(data.length, data[0].name, data[1].name, data[9], JSON.stringify(data[0]));
  console.log(data.map((x) => typeof x).join(), Array.isArray(data));
  let n = 0;
  for (const x of data) n += 1;
  data.forEach(() => { n += 1; });
  console.log(n, data.filter((x) => x === 4).length, data.find((x) => x.name === 'b').name);
  try { data[0] = 1; } catch (e) { console.log('refused'); }
}
