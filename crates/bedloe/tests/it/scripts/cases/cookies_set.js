import http from 'k6/http';
const set = (line) => http.get(`${__ENV.URL}/cookies?${line.replace(/ /g, '%20')}`);
const sorted = (object) => JSON.stringify(Object.entries(object).sort());
export default function () {
  const url = __ENV.URL;
  for (const line of [
    'a=1; Path=/; Domain=127.0.0.1; Max-Age=60; Secure; HttpOnly', 'b=2; Path=/; Expires=Wed, 21 Oct 2099 07:28:00 GMT',
    'c=3; Path=/; Expires=Wed, 21 Oct 2009 07:28:00 GMT', 'd="q"; SameSite=Lax', 'e', '=x', 'f=a b', 'g=;Max-Age=0',
    'h=1; Max-Age=-1', 'i=1; Path=x; domain=other.com', 'A=1', 'j=a,b', 'k=1; Expires=Wed, 21-Oct-2099 07:28:00 GMT', 'l=1&l=2; Path=/x&m=3',
  ]) {
    const r = set(line);
    console.log(line, '->', sorted(r.cookies), sorted(http.cookieJar().cookiesForURL(url + '/')));
  }
  set('a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT');
  const r = http.get(`${url}/echo`, { cookies: { z: 'y', q: { value: 'v', replace: true } }, headers: { Cookie: 'by=hand' } });
  // Those of the params come in any order.
  const ordered = (line) => line.split('; ').sort().join('; ');
  console.log(ordered(r.json().headers.cookie), sorted(r.request.cookies), r.request.headers.Cookie.map(ordered));
}
