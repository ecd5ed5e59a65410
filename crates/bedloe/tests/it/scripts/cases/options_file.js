// config: {"vus":3,"iterations":5,"userAgent":"from a file","maxRedirects":7,"tags":{"from":"file"},"thresholds":{"iterations":["count==5"]}}
import exec from 'k6/execution';
import http from 'k6/http';
export const options = { maxRedirects: 2, tags: { script: 'yes' } };
export default function () {
  if (exec.scenario.iterationInTest !== 0) return;
  console.log(JSON.stringify(exec.test.options.scenarios), exec.test.options.maxRedirects, exec.test.options.userAgent, JSON.stringify(exec.test.options.tags));
  console.log(http.get(__ENV.URL).request.headers['User-Agent']);
}
