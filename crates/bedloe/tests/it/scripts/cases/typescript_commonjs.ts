const { check } = require('k6');
const typed = require('./module_types.ts');

exports.options = { iterations: 2 };
exports.default = function (): void {
  const n: number = typed.double(21);
  check(n, { 'is 42': (n: number): boolean => n === 42 });
};
