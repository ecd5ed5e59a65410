// args: --http-debug=full
import http from 'k6/http';
export default function () {
  http.post(`${__ENV.URL}/text`, 'a body', { headers: { 'X-One': '1' } });
}
