const nothing = require(`${__ENV.TLS_URL}/module/nothing.js`);
export default function () { nothing(); }
