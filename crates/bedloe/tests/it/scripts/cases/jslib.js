// Stand-ins for modules of jslib.k6.io, in the forms that they are bundled in: webpack, an ES module, UMD.
import { SharedArray } from 'k6/data';
import { randomIntBetween, randomItem, uuidv4, findBetween, normalDistributionStages, randomString } from 'https://TLS_HOST/module/k6-utils/1.4.0/index.js';
import * as utils from 'https://TLS_HOST/module/k6-utils/1.4.0/index.js';
import { textSummary, jUnit } from 'https://TLS_HOST/module/k6-summary/0.1.0/index.js';
import papaparse from 'https://TLS_HOST/module/papaparse/5.1.1/index.js';
import { parse } from 'https://TLS_HOST/module/papaparse/5.1.1/index.js';

const table = 'name,age\n"A ""x""",5\nB,6\n';
const rows = new SharedArray('rows', () => papaparse.parse(table, { header: true, dynamicTyping: true, skipEmptyLines: true }).data);
export const options = { scenarios: { a: { executor: 'shared-iterations', iterations: 2 } } };

export default function () {
  if (__ITER > 0 || __VU > 1) return;
  const n = randomIntBetween(1, 3);
  console.log(n >= 1 && n <= 3, ['a', 'b'].includes(randomItem(['a', 'b'])), uuidv4().length, uuidv4(true).length);
  console.log(findBetween('<a>x</a>', '<a>', '</a>'), randomString(8).length, typeof utils.uuidv4, JSON.stringify(normalDistributionStages(4, 6, 2)));
  console.log(JSON.stringify(rows), rows[0].name, parse('a;b', { delimiter: ';' }).data[0].length, papaparse.unparse([[1, 2]]));
}
export function handleSummary(data) {
  const lines = textSummary(data, { indent: '→', enableColors: false }).split('\n').filter((line) => /iterations|data/.test(line));
  return { stdout: lines.join('\n') + '\n' + (jUnit(data).length > 20) + '\n' };
}
