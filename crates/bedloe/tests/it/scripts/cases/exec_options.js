import exec from 'k6/execution';
export const options = {
  scenarios: {
    a: { executor: 'constant-vus', vus: 1, duration: '1s', gracefulStop: '5s', tags: { x: 'y' }, env: { E: '1' }, exec: 'f', startTime: '0s' },
    b: { executor: 'ramping-arrival-rate', preAllocatedVUs: 1, maxVUs: 2, stages: [{ duration: '1s', target: 1 }], startRate: 1, timeUnit: '1m', exec: 'g' },
    c: { executor: 'ramping-vus', stages: [{ duration: 500, target: 0 }], startVUs: 0, gracefulRampDown: '1s', exec: 'g' },
    d: { executor: 'shared-iterations', iterations: 1, exec: 'g' }, e: { executor: 'per-vu-iterations', exec: 'g', maxDuration: '1m' },
    f: { executor: 'constant-arrival-rate', rate: 1, timeUnit: '1h', duration: '1s', preAllocatedVUs: 1, exec: 'g' },
  },
  thresholds: { iterations: ['count>0', { threshold: 'count>1', abortOnFail: true, delayAbortEval: '10s' }], http_req_failed: ['rate<1'] },
  hosts: { 'a.b': '1.2.3.4', 'c.d:80': '1.2.3.4:81' }, dns: { ttl: '1m' }, setupTimeout: '90s', teardownTimeout: 5000, rps: 5, maxRedirects: 3, userAgent: 'u', batch: 2, batchPerHost: 3,
  insecureSkipTLSVerify: true, tlsVersion: { min: 'tls1.2', max: 'tls1.3' }, throw: true, blacklistIPs: ['10.0.0.0/8'], blockHostnames: ['*.x.y'], noConnectionReuse: false,
  noVUConnectionReuse: true, minIterationDuration: '100ms', ext: { a: 1 }, summaryTrendStats: ['avg', 'p(99)'], summaryTimeUnit: 'ms', systemTags: ['url', 'vu'], tags: { t: 'u' },
  noCookiesReset: true, discardResponseBodies: false,
};
export async function f() {
  if (exec.scenario.iterationInTest === 0) for (const [name, value] of Object.entries(exec.test.options)) console.log(name, JSON.stringify(value));
  await new Promise((resolve) => setTimeout(resolve, 1100));
}
export function g() {}
