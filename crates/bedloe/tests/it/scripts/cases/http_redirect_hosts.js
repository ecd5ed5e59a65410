import http from 'k6/http';
export default function () {
  const url = __ENV.URL, other = url.replace('127.0.0.1', 'localhost'), jar = http.cookieJar();
  jar.set(url, 'here', '1');
  jar.set(other, 'there', '1');
  const plain = (text) => text && text.replace(/localhost:\d+/g, 'OTHER');
  const sorted = (line) => line && line.join().split('; ').sort().join('; ');
  const show = (r) => {
    const { authorization, cookie, referer, 'x-a': a, 'content-type': type } = r.json().headers;
    const { method, url, body, headers } = r.request;
    console.log(r.status, plain(r.url), authorization, sorted([cookie || '']), a, type);
    console.log(referer && referer.replace('localhost', 'other').replace(/:\d+/g, ''));
    console.log(method, plain(url), body, JSON.stringify(headers.Authorization), sorted(headers.Cookie), JSON.stringify(headers['X-A']));
    console.log(JSON.stringify(Object.entries(r.request.cookies).sort()));
  };
  const params = { headers: { Authorization: 'A b', Cookie: 'h=1', 'X-A': '1' }, cookies: { own: '1', here: { value: '2', replace: true } } };
  show(http.get(`${url}/to?${url}/echo`, params));
  show(http.get(`${url}/to?${other}/echo`, params));
  show(http.get(`${url}/to?${other}/to?${url}/echo`, params));
  show(http.get(`${url.replace('//', '//u:p@')}/to?/echo`));
  show(http.get(`${url.replace('//', '//u:p@')}/to?${other}/echo`));
  show(http.get(`${url}/to?/echo`, { headers: { Referer: 'mine' } }));
  show(http.post(`${url}/to?/echo`, 'body', { headers: { 'Content-Type': 'a/b' } }));
  show(http.post(`${url}/moved/307`, 'body', { headers: { 'Content-Type': 'a/b' } }));
}
