export const own = require('./own.js').name;
export const later = () => require('./own.js').name;
