if (typeof __ITER !== 'undefined') throw new Error('in init');

export const options = { iterations: 1 };

export default function () {
  console.log(__VU, __ITER, typeof globalThis);
}
