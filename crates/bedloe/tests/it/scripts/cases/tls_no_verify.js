import http from 'k6/http';
export const options = { insecureSkipTLSVerify: true, tlsVersion: 'tls1.3' };
export default function () {
  const r = http.get(__ENV.TLS_URL.replace('localhost', '127.0.0.1'));
  console.log(r.status, r.tls_version);
}
