import http from 'k6/http';
const sorted = (object) => JSON.stringify(Object.entries(object).sort());
export default function () {
  const url = __ENV.URL, jar = http.cookieJar();
  http.get(`${url}/cookies?a=1;Path=/;Domain=127.0.0.1&b=2`);
  jar.set(url, 'k', 'v', { domain: 'other.com' });
  jar.set(url, 'l', 'v', { path: '/p', secure: true, max_age: 10, expires: 'Wed, 21 Oct 2099 07:28:00 GMT', http_only: true });
  jar.set(url, 'm', 'v', { max_age: 0 });
  console.log(sorted(jar.cookiesForURL(url + '/p/x')), sorted(jar.cookiesForURL('http://other.com/')));
  try { jar.set(url, 'n', 'v', { expires: 'never' }); } catch (e) { console.log('no date'); }
  try { jar.set('::', 'n', 'v'); } catch (e) { console.log('no address'); }
  jar.delete(url, 'a');
  console.log(sorted(jar.cookiesForURL(url)));
  jar.clear(url);
  console.log(sorted(jar.cookiesForURL(url)), sorted(jar.cookiesForURL(`${url}/p`)));
  const own = new http.CookieJar();
  own.set(url, 'n', '1');
  const r = http.get(`${url}/cookies?o=1`, { jar: own });
  console.log(sorted(own.cookiesForURL(url)), sorted(jar.cookiesForURL(url)), sorted(r.request.cookies));
  console.log(http.get(`${url}/echo`, { jar: own, cookies: { n: 'two' } }).json().headers.cookie);
  jar.set(url, 'p', '1');
  console.log(http.get(`${url}/echo`, { jar: null }).json().headers.cookie);
}
