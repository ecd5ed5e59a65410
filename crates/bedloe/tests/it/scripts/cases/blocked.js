import http from 'k6/http';
export const options = { blockHostnames: ['*.bad.test', 'no.test'], blacklistIPs: ['127.0.0.2/32', '10.0.0.0/8'] };
export default function () {
  for (const url of ['http://q.bad.test/', 'http://no.test/', 'http://127.0.0.2/', 'http://10.1.1.1/', __ENV.URL]) {
    const r = http.get(url);
    console.log(r.status, r.error_code);
  }
}
