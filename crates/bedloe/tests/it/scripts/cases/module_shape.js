// module
function Shape(kind) { this.kind = kind; }
module.exports = new Shape('round');
module.exports.Shape = Shape;
