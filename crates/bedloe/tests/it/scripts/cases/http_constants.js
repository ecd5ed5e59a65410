import http, { TLS_1_3, OCSP_STATUS_GOOD } from 'k6/http';
export default function () {
  for (const name of Object.keys(http).sort()) if (typeof http[name] === 'string') console.log(name, http[name]);
  console.log(TLS_1_3, OCSP_STATUS_GOOD, http.get(`${__ENV.TLS_URL}/text`).tls_version === http.TLS_1_3);
}
