// env: K6_ITERATIONS=4
// env: K6_VUS=2
// env: K6_SUMMARY_TREND_STATS=avg,count
import exec from 'k6/execution';
export const options = { vus: 1, iterations: 9, maxRedirects: 2, summaryTrendStats: ['max'] };
export default function () { if (exec.scenario.iterationInTest === 0) console.log(JSON.stringify(exec.test.options.scenarios), exec.test.options.maxRedirects, exec.test.options.summaryTrendStats); }
