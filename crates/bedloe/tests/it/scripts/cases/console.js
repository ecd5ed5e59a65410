export default function () {
  console.log('text', 1, 1.5, true, null, undefined);
  console.log({ a: 1, b: [1, 2], c: 'x' }, [], {}, [[]], { n: null, u: undefined });
  console.info(new Date(0), new Error('bad'), [new Error('in')]);
  console.warn(function named() {}, () => 1, { f() {} });
  console.error('quote " and \\ and \n line');
  console.debug('not shown');
  console.log();
  console.log('%s', 'as it is', 1e21, -0, NaN, Infinity);
  console.log({ nested: { deep: { er: [{ x: 'y' }] } } });
  console.log('ünï ✓');
}
