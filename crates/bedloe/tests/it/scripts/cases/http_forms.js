import http from 'k6/http';

export default function () {
  const url = `${__ENV.URL}/echo`;
  console.log(http.post(url, { b: 'two words', a: '1&2', list: ['x', 'y'], n: 5 }).body);
  console.log(http.post(url, { a: 1 }, { headers: { 'Content-Type': 'text/odd' } }).body);
}
