import http from 'k6/http';

export default function () {
  const body = { field: 'text', upload: http.file('the data', 'a.txt', 'text/plain') };
  const r = http.post(`${__ENV.URL}/echo`, body).json();
  const type = r.headers['content-type'];
  const boundary = type.split('boundary=')[1];
  const parts = r.body.split(`--${boundary}`).map((p) => p.trim()).filter((p) => p && p !== '--').sort();
  console.log(type.split(';')[0], parts.length, JSON.stringify(parts));
  console.log(JSON.stringify(http.file('x', 'name', 'a/b')));
}
