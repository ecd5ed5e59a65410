import http, { get, post } from 'k6/http';

const shown = (r) => console.log(r.request.method, r.status, r.status_text, r.proto, JSON.stringify(r.body), r.error, r.error_code);

export default function () {
  const url = `${__ENV.URL}/echo`;
  shown(get(url));
  shown(http.head(url));
  shown(post(url, 'a text'));
  shown(http.put(url, 'put'));
  shown(http.patch(url, JSON.stringify({ a: 1 }), { headers: { 'content-type': 'application/json', 'X-Own': 'y' } }));
  shown(http.del(url));
  shown(http.del(url, 'gone'));
  shown(http.options(url));
  shown(http.request('GET', url));
  shown(http.request('PURGE', url, 'x'));
  shown(http.post(url));
  shown(http.post(url, null));
}
