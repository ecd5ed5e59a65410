exports.default = function () { throw new Error('from CommonJS'); };
