import http from 'k6/http';
export default function () {
  const bad = http.get(__ENV.TLS_URL.replace('localhost', '127.0.0.1'));
  console.log(bad.status, bad.error_code);
  const plain = http.get(__ENV.URL.replace('http:', 'https:'));
  console.log(plain.status, plain.error_code);
}
