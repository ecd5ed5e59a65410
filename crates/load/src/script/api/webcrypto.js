// The global `crypto` (W3C Web Cryptography API): what `native` does, in the shape that scripts know. It is made when a
// script first asks for it.
(native) => {
  const secrets = new WeakMap();
  const fail = (name, text) => { const error = new Error(text); error.name = name; throw error; };
  const bytes = (data) => {
    if (data instanceof ArrayBuffer) return data.slice(0);
    if (ArrayBuffer.isView(data)) return data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
    throw new TypeError('want an ArrayBuffer or a view of one');
  };
  const SIZES = { 'SHA-1': 160, 'SHA-256': 256, 'SHA-384': 384, 'SHA-512': 512 };
  const hash = (of) => {
    const name = String(typeof of === 'object' && of ? of.name : of).toUpperCase();
    return name in SIZES ? name : fail('NotSupportedError', `there is no digest ${name}`);
  };
  const SERVED = ['HMAC', 'AES-CBC', 'AES-CTR', 'AES-GCM', 'PBKDF2'];
  const named = (of) => {
    const given = typeof of === 'string' ? { name: of } : { ...of };
    const name = String(given.name).toUpperCase();
    const wanted = SERVED.join(', ');
    if (!SERVED.includes(name)) fail('NotSupportedError', `the algorithm ${given.name} is not served: want ${wanted}`);
    return { ...given, name };
  };
  class CryptoKey {
    constructor(token, algorithm, extractable, usages, secret) {
      if (token !== secrets) throw new TypeError('a CryptoKey is made by crypto.subtle');
      secrets.set(this, secret);
      const all = { type: 'secret', extractable: !!extractable, algorithm, usages: [...usages] };
      for (const [name, value] of Object.entries(all)) {
        Object.defineProperty(this, name, { value, enumerable: true });
      }
    }
  }
  const secret = (key, usage, name) => {
    if (!secrets.has(key)) throw new TypeError('want a CryptoKey');
    const own = key.algorithm.name;
    if (name && own !== name) fail('InvalidAccessError', `the key is for ${own}, not ${name}`);
    if (usage && !key.usages.includes(usage)) fail('InvalidAccessError', `the key may not be used to ${usage}`);
    return secrets.get(key);
  };
  const keyed = (of, extractable, usages, raw) => {
    const algorithm = { name: of.name };
    if (of.name === 'HMAC') { algorithm.hash = { name: hash(of.hash) }; algorithm.length = raw.byteLength * 8; }
    if (of.name.startsWith('AES')) {
      if (![16, 24, 32].includes(raw.byteLength)) fail('DataError', 'a key of AES has 128, 192 or 256 bits');
      algorithm.length = raw.byteLength * 8;
    }
    if (usages.length === 0) fail('SyntaxError', 'a key wants at least one usage');
    return new CryptoKey(secrets, algorithm, extractable, usages, raw);
  };
  const cipher = (of, isSealing, key, data) => {
    const raw = secret(key, isSealing ? 'encrypt' : 'decrypt', of.name);
    const start = of.name === 'AES-CTR' ? of.counter : of.iv;
    const tag = of.tagLength === undefined ? 128 : of.tagLength;
    if (of.name === 'AES-GCM' && tag !== 128) fail('NotSupportedError', 'a tag of AES-GCM has 128 bits');
    const extra = of.additionalData === undefined ? new ArrayBuffer(0) : bytes(of.additionalData);
    const made = native.cipher(of.name, isSealing, raw, bytes(start), extra, bytes(data));
    return made === undefined ? fail('OperationError', `${of.name}: the data, the key or the start do not fit`) : made;
  };
  const derived = (of, key, length) => {
    const raw = secret(key, undefined, 'PBKDF2');
    const fits = of.name === 'PBKDF2' && of.iterations > 0 && length % 8 === 0;
    if (!fits) fail('OperationError', 'want PBKDF2, iterations, and bits by eight');
    return native.pbkdf2(hash(of.hash), raw, bytes(of.salt), of.iterations, length / 8);
  };
  const subtle = {
    async digest(of, data) { return native.digest(hash(of), bytes(data)); },
    async generateKey(of, extractable, usages) {
      const wanted = named(of);
      if (wanted.name === 'PBKDF2') fail('NotSupportedError', 'a key for PBKDF2 is imported');
      const bits = wanted.length || (wanted.name === 'HMAC' ? (SIZES[hash(wanted.hash)] > 256 ? 1024 : 512) : 0);
      return keyed(wanted, extractable, usages, native.random(bits >> 3));
    },
    async importKey(format, data, of, extractable, usages) {
      const wanted = named(of);
      if (format === 'raw') return keyed(wanted, extractable, usages, bytes(data));
      const isText = format === 'jwk' && data.kty === 'oct';
      if (!isText) fail('NotSupportedError', 'keys are imported as raw, or as jwk of the type oct');
      return keyed(wanted, extractable, usages, native.unbase64(data.k));
    },
    async exportKey(format, key) {
      const raw = secret(key);
      if (!key.extractable) fail('InvalidAccessError', 'the key is not extractable');
      if (format === 'raw') return raw.slice(0);
      if (format !== 'jwk') fail('NotSupportedError', 'keys are exported as raw or jwk');
      const { name, hash: of, length } = key.algorithm;
      const alg = name === 'HMAC' ? `HS${of.name.slice(4)}` : `A${length}${name.slice(4)}`;
      return { kty: 'oct', k: native.base64(raw), alg, ext: key.extractable, key_ops: key.usages };
    },
    async sign(of, key, data) {
      named(of);
      const raw = secret(key, 'sign', 'HMAC');
      return native.hmac(key.algorithm.hash.name, raw, bytes(data));
    },
    async verify(of, key, signature, data) {
      named(of);
      const raw = secret(key, 'verify', 'HMAC');
      const made = new Uint8Array(native.hmac(key.algorithm.hash.name, raw, bytes(data)));
      const given = new Uint8Array(bytes(signature));
      return made.length === given.length && made.reduce((all, byte, at) => all | (byte ^ given[at]), 0) === 0;
    },
    async encrypt(of, key, data) { return cipher(named(of), true, key, data); },
    async decrypt(of, key, data) { return cipher(named(of), false, key, data); },
    async deriveBits(of, key, length) { return derived(named(of), key, length); },
    async deriveKey(of, key, wanted, extractable, usages) {
      const { name, length, hash: own } = named(wanted);
      return keyed({ name, hash: own }, extractable, usages, derived(named(of), key, length || SIZES[hash(own)]));
    },
    async wrapKey() { fail('NotSupportedError', 'keys are not wrapped'); },
    async unwrapKey() { fail('NotSupportedError', 'keys are not wrapped'); },
  };
  const crypto = {
    subtle,
    getRandomValues(view) {
      if (!ArrayBuffer.isView(view) || view instanceof Float32Array || view instanceof Float64Array) {
        fail('TypeMismatchError', 'want a view of whole numbers');
      }
      if (view.byteLength > 65536) fail('QuotaExceededError', 'at most 65536 bytes at once');
      new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(new Uint8Array(native.random(view.byteLength)));
      return view;
    },
    randomUUID() {
      const all = new Uint8Array(native.random(16));
      all[6] = (all[6] & 15) | 64;
      all[8] = (all[8] & 63) | 128;
      const hex = [...all].map((byte) => byte.toString(16).padStart(2, '0')).join('');
      return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
    },
  };
  Object.defineProperty(crypto, 'CryptoKey', { value: CryptoKey, enumerable: false });
  return crypto;
}
