const nothing = require('./nothing_here.js');
exports.default = function () { nothing(); };
