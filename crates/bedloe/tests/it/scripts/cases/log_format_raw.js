// args: --log-format raw --log-output stdout
export default function () {
  console.log('a "word"', { a: 1 });
  console.error('<b>');
}
