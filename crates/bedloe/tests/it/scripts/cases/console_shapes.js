class Own { constructor() { this.x = 1; this.self = this; } }
export default function () {
  const one = { x: 1 }, deep = {}, round = {};
  let inner = deep;
  for (let i = 0; i < 40; i++) { inner.d = {}; inner = inner.d; }
  round.o = round;
  console.log(new Own(), round, [round]);
  console.log(new Uint8Array([1, 2, 3]), new Uint8Array(0), [new Float64Array([1.5])], new ArrayBuffer(3), { buffer: new ArrayBuffer(1) });
  console.log({ u: undefined, f() {}, s: Symbol('q'), d: new Date(0), r: /x/, m: new Map([[1, 2]]), e: new Error('z'), n: null });
  console.log([undefined, null, () => 1, Symbol('x'), new Date(0), /x/, new TypeError('e')], Symbol('top'));
  console.log([one, one], { a: one, b: one }, deep);
  console.log({ toJSON() { return { q: 1 }; }, a: 1 }, { toString() { return 'own'; }, a: 1 });
  console.log('q"q', ['q"q', "it's", 'a\nb', 'a\\b'], { get x() { return 5; } }, Object.create(null));
  console.log([], {}, [[]], { a: [], o: {} }, [1, 0.1 + 0.2, 1e-7, 1e21, NaN, -0], { 1: 'a', b: 2, 'a b': 3 });
}
