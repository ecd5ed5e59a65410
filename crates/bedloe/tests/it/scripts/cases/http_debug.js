// args: --http-debug=full
import http from 'k6/http';
export default function () {
  http.post(`${__ENV.URL}/text`, 'a body', { headers: { 'X-One': '1', b: '2' } });
  http.get(`${__ENV.URL}/redirect/1`, { headers: { Referer: 'mine' } });
  http.head(`${__ENV.URL}/text`);
  http.get('http://127.0.0.1:1/');
  http.del(`${__ENV.URL}/status/204`);
  http.get(`${__ENV.URL}/bytes/3`, { cookies: { a: 'b' } });
}
