import http from 'k6/http';

export const options = { vus: 1, iterations: 2 };

const sent = (r) => console.log(r.json().headers.cookie);

export default function () {
  const url = `${__ENV.URL}/echo`;
  sent(http.get(url));
  const r = http.get(`${__ENV.URL}/cookie/session/abc`);
  const c = r.cookies.session[0];
  console.log(c.name, c.value, c.path, c.http_only, c.secure, c.domain, r.cookies.other[0].http_only);
  sent(http.get(url));
  sent(http.get(`${__ENV.URL}/only/this`));
  sent(http.get(url, { cookies: { mine: '1' } }));
  sent(http.get(url, { cookies: { session: { value: 'new', replace: true } } }));
  sent(http.get(url, { headers: { Cookie: 'by=hand' } }));
  const jar = http.cookieJar();
  console.log(JSON.stringify(jar.cookiesForURL(url)));
  jar.set(url, 'added', 'x', { path: '/echo', max_age: 600 });
  sent(http.get(url));
  jar.delete(url, 'session');
  sent(http.get(url));
  jar.clear(url);
  sent(http.get(url));
  const own = new http.CookieJar();
  own.set(url, 'from', 'own');
  sent(http.get(url, { jar: own }));
  sent(http.get(url));
}
