// args: --max-redirects -1 --vus -1
import http from 'k6/http';
export default function () {
  for (const params of [{}, { redirects: -1 }, { redirects: 2 }]) {
    const r = http.get(`${__ENV.URL}/redirect/1`, params);
    console.log(r.status, r.error_code, r.url);
  }
}
