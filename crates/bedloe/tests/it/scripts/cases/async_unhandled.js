export const options = { iterations: 1 };
export default function () {
  Promise.reject(new Error('nobody looks'));
  Promise.reject(new Error('caught')).catch(() => console.log('handled'));
  new Promise((_, reject) => setTimeout(() => reject('a text'), 300)).catch((e) => console.log(e));
}
