// args: --vus 2 --iterations 3 --tag a=b --no-vu-connection-reuse --max-redirects 4 --dns ttl=0,select=first,policy=any
import exec from 'k6/execution';
export default function () { if (exec.scenario.iterationInTest === 0) console.log(JSON.stringify(exec.test.options)); }
