import { check, group, randomSeed, sleep, fail } from 'k6';
const tried = (what, f) => { try { console.log(what, f()); } catch (e) { console.log(what, 'threw'); } };
const early = [];
for (const f of [() => check(1, {}), () => group('a', () => 1)]) try { f(); } catch (e) { early.push('threw'); }
export default function () {
  console.log(early.join());
  tried('none', () => check(1, {}));
  tried('list', () => check(1, [() => true, false]));
  tried('tags', () => check(1, { a: () => true }, { t: 'x' }));
  tried('name', () => check(1, { 'a::b': true }));
  tried('async', () => check(1, { q: async () => false }));
  tried('promise', () => check(1, { p: Promise.resolve(false) }));
  tried('values', () => check(0, { zero: (v) => v === 0, text: 'x', empty: '', no: null }));
  tried('missing', () => group('x'));
  tried('number', () => group(5, () => 'five'));
  tried('empty', () => group('', () => 'empty'));
  tried('arguments', () => group('a', (...all) => all.length));
  tried('colons', () => group('a::b', () => 1));
  tried('seed', () => randomSeed(1.5));
  tried('sleep', () => sleep(0));
  tried('fail', () => fail());
  tried('tagged', () => check(1, { b: true }, { t: { u: 1 } }));
}
