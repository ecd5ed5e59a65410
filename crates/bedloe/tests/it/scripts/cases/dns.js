import http from 'k6/http';
export const options = { dns: { ttl: '1m', select: 'first', policy: 'onlyIPv4' }, iterations: 3 };
export default function () {
  const r = http.get(__ENV.URL.replace('127.0.0.1', 'localhost'));
  console.log(r.status, r.remote_ip);
}
