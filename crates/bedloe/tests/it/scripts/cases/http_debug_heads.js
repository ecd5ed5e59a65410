// args: --http-debug
import http from 'k6/http';
export default function () { http.post(`${__ENV.URL}/bytes/3`, 'a body'); }
