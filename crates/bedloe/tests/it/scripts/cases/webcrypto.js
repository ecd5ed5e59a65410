const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const bytes = (text) => new Uint8Array([...text].map((letter) => letter.charCodeAt(0)));
const tried = async (what, f) => { try { console.log(what, await f()); } catch (e) { console.log(what, 'threw'); } };
export default async function () {
  const { subtle } = crypto;
  console.log(typeof crypto.randomUUID(), crypto.randomUUID().length, crypto.randomUUID()[14], crypto.getRandomValues(new Uint8Array(4)).length, crypto.getRandomValues(new Uint32Array(2)).length);
  for (const name of ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512']) console.log(name, hex(await subtle.digest(name, bytes('abc'))));
  console.log(hex(await subtle.digest({ name: 'sha-256' }, bytes('').buffer)));
  for (const hash of ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512']) {
    const key = await subtle.importKey('raw', bytes('a key'), { name: 'HMAC', hash }, true, ['sign', 'verify']);
    const signature = await subtle.sign('HMAC', key, bytes('some text'));
    console.log(hash, hex(signature), await subtle.verify('HMAC', key, signature, bytes('some text')), await subtle.verify('HMAC', key, signature, bytes('other')));
    console.log(key.type, key.extractable, key.algorithm.name, key.algorithm.hash.name, hex(await subtle.exportKey('raw', key)));
  }
  const data = bytes('the text to hide'), iv = bytes('0123456789abcdef');
  for (const [name, params] of [['AES-CBC', { iv }], ['AES-CTR', { counter: iv, length: 64 }], ['AES-GCM', { iv: iv.slice(0, 12) }], ['AES-GCM', { iv: iv.slice(0, 12), additionalData: bytes('more') }]]) {
    for (const length of [128, 256]) {
      const key = await subtle.importKey('raw', bytes('k'.repeat(length / 8)), { name }, true, ['encrypt', 'decrypt']);
      const sealed = await subtle.encrypt({ name, ...params }, key, data);
      console.log(name, length, hex(sealed), hex(await subtle.decrypt({ name, ...params }, key, sealed)) === hex(data), key.algorithm.length);
    }
  }
  const made = await subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt', 'decrypt']);
  console.log(made.algorithm.length, (await subtle.exportKey('raw', made)).byteLength);
  const jwk = await subtle.exportKey('jwk', await subtle.importKey('raw', bytes('a key'), { name: 'HMAC', hash: 'SHA-256' }, true, ['sign']));
  console.log(jwk.kty, jwk.k, jwk.alg);
  await tried('no digest', () => subtle.digest('MD5', data));
  await tried('not for it', async () => subtle.sign('HMAC', await subtle.importKey('raw', bytes('k'), { name: 'HMAC', hash: 'SHA-256' }, true, ['verify']), data));
  await tried('not out', async () => subtle.exportKey('raw', await subtle.importKey('raw', bytes('k'), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])));
  await tried('bad tag', async () => subtle.decrypt({ name: 'AES-GCM', iv: iv.slice(0, 12) }, made, new Uint8Array(20)));
}
