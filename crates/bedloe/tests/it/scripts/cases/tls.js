import http from 'k6/http';
import { check } from 'k6';
export const options = {
  tlsVersion: { min: 'tls1.2', max: 'tls1.2' },
  tlsCipherSuites: ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'],
  tlsAuth: [{ domains: ['example.com'], cert: open(`${__ENV.FILES}/client.pem`), key: open(`${__ENV.FILES}/client.key`) }],
  thresholds: { 'http_req_duration{tls_version:tls1.2}': ['max<10000'] },
};
export default function () {
  const r = http.get(`${__ENV.TLS_URL}/connection`);
  console.log(r.status, r.tls_version, r.tls_cipher_suite, r.body.split(' ')[1]);
  check(r, { 'shaken hands': (r) => r.timings.tls_handshaking > 0 });
}
