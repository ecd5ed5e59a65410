import http from 'k6/http';

export const options = { batch: 5, batchPerHost: 3 };

export default function () {
  const url = `${__ENV.URL}/echo`;
  const list = http.batch([url, ['POST', url, 'x', { tags: { a: 'b' } }], { method: 'PUT', url, body: 'y' }, ['GET', url]]);
  console.log(list.map((r) => r.json().method + r.json().body).join());
  const named = http.batch({ one: url, two: { method: 'POST', url, body: 'z' } });
  console.log(Object.keys(named).sort().join(), named.one.status, named.two.json().body);
  const many = [];
  for (let i = 0; i < 12; i++) many.push(['GET', `${url}?${i}`]);
  console.log(http.batch(many).map((r) => r.json().target.split('?')[1]).join());
}
