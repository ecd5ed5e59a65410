const http = require('k6/http');
const { check, group } = require('k6');
const { Counter } = require('k6/metrics');
const local = require('./module_commonjs.js');

const seen = new Counter('seen');
exports.options = { iterations: 2, thresholds: { seen: ['count==4'] } };
exports.setup = () => ({ n: local.next() });
exports.default = function (data) {
  group('a group', () => {
    const r = http.get(`${__ENV.URL}/text`);
    check(r, { 'is text': (r) => r.body === 'plain text', 'has data': () => data.n === 1 });
  });
  seen.add(local.two);
  console.log(typeof this, local.two, local.shape.kind, typeof module, typeof exports);
};
