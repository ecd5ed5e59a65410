import http from 'k6/http';
export default function () {
  for (const to of ['mailto:a@b.c', 'ftp://x/y', 'http://[::1', 'http://a:b:c/']) {
    const r = http.get(`${__ENV.URL}/to?${to}`);
    console.log(to, r.status, r.error_code, r.body === null, Object.keys(r.headers).length, r.url, r.request.url);
  }
  const r = http.get(`${__ENV.URL}/to?mailto:a@b.c`, { redirects: 0 });
  console.log(r.status, r.error_code);
}
