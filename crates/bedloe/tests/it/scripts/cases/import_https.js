const { two, uuid } = require(`${__ENV.TLS_URL}/module/lib/index.js`);
const parser = require(`${__ENV.TLS_URL}/module/umd.js`);

export const options = { iterations: 2 };
export default function () {
  console.log(two, uuid(), parser.parse('a,b'));
}
