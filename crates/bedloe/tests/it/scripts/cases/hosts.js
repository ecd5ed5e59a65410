import http from 'k6/http';
const [host, port] = __ENV.URL.replace('http://', '').split(':');
export const options = {
  hosts: { 'a.test': host, 'b.test:80': `${host}:${port}`, '*.c.test': `${host}:${port}`, 'x.c.test': '127.0.0.9' },
};
export default function () {
  for (const url of [`http://a.test:${port}/`, 'http://b.test/', 'http://y.c.test/', 'http://B.TEST/echo']) {
    const r = http.get(url);
    console.log(url.replace(port, 'PORT'), r.status, r.error_code, r.remote_ip, r.remote_port === Number(port));
  }
}
