import http from 'k6/http';

export default function () {
  const r = http.get(`${__ENV.URL}/redirect/3`);
  console.log(r.status, r.url, r.json().target);
  console.log(http.get(`${__ENV.URL}/redirect/3`, { redirects: 1 }).status);
  console.log(http.get(`${__ENV.URL}/redirect/30`).status);
  for (const code of [301, 302, 303, 307, 308]) {
    const moved = http.post(`${__ENV.URL}/moved/${code}`, 'body').json();
    console.log(code, moved.method, moved.body, moved.target);
  }
}
