import encoding, { b64encode, b64decode } from 'k6/encoding';

export default function () {
  for (const text of ['', 'f', 'fo', 'foo', 'ünï?>']) {
    for (const form of ['std', 'rawstd', 'url', 'rawurl']) {
      const made = b64encode(text, form);
      console.log(form, made, b64decode(made, form, 's') === text, b64decode(made, form).byteLength);
    }
  }
  console.log(encoding.b64encode(new Uint8Array([1, 2, 3]).buffer), encoding.b64encode('x'));
  try { b64decode('!!'); } catch (e) { console.log('refused'); }
}
