export const options = { iterations: 2 };
export default function () {
  if (__ITER === 0) throw 'a text';
  throw { code: 7 };
}
