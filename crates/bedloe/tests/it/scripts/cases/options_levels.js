// args: --batch 4 --user-agent flag
// env: K6_BATCH=3
// env: K6_USER_AGENT=environment
// config: {"batch":1,"batchPerHost":1,"rps":1000,"userAgent":"file"}
import exec from 'k6/execution';
export const options = { batch: 2, batchPerHost: 2, userAgent: 'script', iterations: 1 };
export default function () { const { batch, batchPerHost, rps, userAgent } = exec.test.options; console.log(batch, batchPerHost, rps, userAgent); }
