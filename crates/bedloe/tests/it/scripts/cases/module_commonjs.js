// module
var n = 0;
exports.two = 2;
exports.next = function () { n += 1; return n; };
exports.shape = require('./module_shape.js');
