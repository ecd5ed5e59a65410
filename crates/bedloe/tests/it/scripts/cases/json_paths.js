import http from 'k6/http';
const plain = (name, value) => (value && value.constructor === Object ? Object.fromEntries(Object.entries(value).sort()) : value);
export default function () {
  const r = http.get(`${__ENV.URL}/json`);
  for (const path of ['a', 'a.0', 'a.0.b', 'a.#', 'a.#.b', 'a.#(b==2).n', 'a.#(b>0)#.n', 't', 'num', 'tr', 'nu', 'o', 'o.x.y', 'o.*.y', 'nope', 'a.9', 't?', 'o.x.y.z',
    'o|x', '[t,num]', '{t,num}', '{"x":t,o.x.y}', 'a.@reverse', 'a.#.n|0', 'a.#(b>0)#.n|@reverse', 'a.-1', 'o.@keys', 'o.x.@values', 'a.#(n%"x*").b', 'a.#(n!="x").b', 't|@tostr',
    'a.@this.0', '@this.t', 'a.@flatten.1.b', 'a.@join.b', 'a.@ugly', 'b\\.c', '!"lit"', '!5', '', '..', '@nothing']) {
    const found = r.json(path);
    console.log(path, typeof found, JSON.stringify(found, plain));
  }
  console.log(r.json().t, r.json(undefined), http.get(`${__ENV.URL}/text`).json('a'));
  for (const path of ['text', 'status/204']) try { http.get(`${__ENV.URL}/${path}`).json(); } catch (e) { console.log('no json'); }
  console.log(http.get(`${__ENV.URL}/json`, { responseType: 'binary' }).json('t'));
}
