import crypto from 'k6/crypto';
export default function () {
  for (const name of ['md4', 'md5', 'ripemd160', 'sha1', 'sha256', 'sha384', 'sha512', 'sha512_224', 'sha512_256']) {
    console.log(name, crypto[name]('abc', 'hex'), crypto.hmac(name, 'k', 'abc', 'base64'), crypto.hmac(name, 'k'.repeat(200), 'abc', 'hex'));
    const hash = crypto.createHash(name);
    hash.update('a');
    hash.update(new Uint8Array([98, 99]).buffer);
    const keyed = crypto.createHMAC(name, 'k');
    keyed.update('abc');
    console.log(hash.digest('hex') === crypto[name]('abc', 'hex'), keyed.digest('base64') === crypto.hmac(name, 'k', 'abc', 'base64'));
  }
  for (const form of ['hex', 'base64', 'base64url', 'base64rawurl']) console.log(form, crypto.md5('abc', form));
  try { crypto.hmac('nothing', 'k', 'x', 'hex'); } catch (e) { console.log('no such digest'); }
  try { crypto.md5('x', 'nothing'); } catch (e) { console.log('no such form'); }
  try { crypto.randomBytes(0); } catch (e) { console.log('no bytes'); }
}
