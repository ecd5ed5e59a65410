// args: --summary-mode=full
import http from 'k6/http';
import { check, group } from 'k6';

export const options = { iterations: 2 };

export default function () {
  check(1, { 'at the top': true });
  group('outer', () => {
    http.get(`${__ENV.URL}/echo`);
    check(1, { 'in outer': true });
    group('inner', () => { check(1, { 'in inner': () => false }); });
  });
}
