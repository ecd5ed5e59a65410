import http from 'k6/http';
export const options = { iterations: 1, thresholds: { 'http_reqs{proto:HTTP/2.0}': ['count==2'], 'http_reqs{tls_version:tls1.3}': ['count==2'], 'http_reqs{proto:HTTP/1.1}': ['count==1'] } };
export default function () {
  for (const base of [__ENV.TLS_URL, __ENV.TLS_URL, __ENV.URL]) {
    const r = http.get(`${base}/connection`);
    console.log(r.proto, r.tls_version, r.tls_cipher_suite.slice(0, 7), r.status, r.status_text, r.body.split(' ')[0], r.timings.tls_handshaking > 0, JSON.stringify(r.ocsp.status));
  }
}
