import crypto, { sha256, hmac } from 'k6/crypto';

export default function () {
  for (const name of ['md5', 'sha1', 'sha256', 'sha384', 'sha512', 'sha512_256']) {
    console.log(name, crypto[name]('some text', 'hex'), crypto[name]('', 'base64'));
  }
  for (const name of ['md5', 'sha1', 'sha256', 'sha384', 'sha512']) {
    console.log(name, hmac(name, 'a key', 'some text', 'hex'), hmac(name, 'k'.repeat(200), 'x', 'base64rawurl'));
  }
  const hash = crypto.createHash('sha256');
  hash.update('some ');
  hash.update('text');
  console.log(hash.digest('hex') === sha256('some text', 'hex'), hash.digest('base64url'));
  const keyed = crypto.createHMAC('sha1', 'a key');
  keyed.update('some text');
  console.log(keyed.digest('hex'), sha256('x', 'binary').byteLength, crypto.randomBytes(8).byteLength);
  console.log(crypto.hexEncode('abc'), sha256(new Uint8Array([1, 2]).buffer, 'hex'));
}
