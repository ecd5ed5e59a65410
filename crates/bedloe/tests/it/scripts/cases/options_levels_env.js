// env: K6_DURATION=1s
// env: K6_NO_SETUP=true
import exec from 'k6/execution';
export const options = { scenarios: { a: { executor: 'shared-iterations', iterations: 100 } }, thresholds: { iterations: ['count==1'] } };
export function setup() { console.log('never'); }
export default async function () { console.log(JSON.stringify(exec.test.options.scenarios)); await new Promise((resolve) => setTimeout(resolve, 1200)); }
