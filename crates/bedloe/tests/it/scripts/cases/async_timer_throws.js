export const options = { iterations: 1 };
export default function () {
  setTimeout(() => { throw new Error('in a timer'); }, 1);
  setTimeout(() => console.log('later'), 50);
}
