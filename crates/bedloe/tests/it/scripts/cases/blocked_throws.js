import http from 'k6/http';
export const options = { hosts: { 'a.test': '127.0.0.2' }, blacklistIPs: ['127.0.0.2/32'], throw: true };
export default function () {
  try {
    http.get('http://a.test/');
  } catch (error) {
    console.log('thrown');
  }
}
