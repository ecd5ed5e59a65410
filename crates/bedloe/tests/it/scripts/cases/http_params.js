import http from 'k6/http';
const url = `${__ENV.URL}/echo`;
const told = (what, make) => {
  try {
    const r = make();
    console.log(what, r.status, r.error_code, r.status ? JSON.stringify(r.json().headers) + r.json().method : '');
  } catch (e) { console.log(what, 'threw'); }
};
export default function () {
  for (const headers of [{ a: undefined }, { a: null }, { a: NaN }, null, { 'a b': 1 }, { a: 'b\nc' }, { '': 'x' }, { a: '  b\t' }, { a: '' }]) told('headers', () => http.get(url, { headers }));
  for (const cookies of [{ a: undefined }, { a: null }, null, { a: 5 }, { a: { value: 'x' } }]) told('cookies', () => http.get(url, { cookies }));
  for (const tags of [{ a: undefined }, { a: null }, 'x', null, { a: [] }, { a: 1.5, b: true }]) told('tags', () => http.get(url, { tags }));
  for (const params of [5, 'x', null, { timeout: 'x' }, { redirects: null }, { auth: 5 }, { responseType: 'x' }, { compression: 'x' }, { jar: 5 }, { responseCallback: 5 }, { nothing: 1 }]) told('params', () => http.get(url, params));
  for (const address of ['/x', 'ftp://127.0.0.1/', '::x', '', null]) told('address', () => http.get(address));
  for (const method of ['', null, undefined, 'A B', 'own']) told('method', () => http.request(method, url));
}
