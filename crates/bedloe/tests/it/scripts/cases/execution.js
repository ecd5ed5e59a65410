import exec from 'k6/execution';
import { scenario, vu } from 'k6/execution';

export const options = {
  scenarios: { one: { executor: 'per-vu-iterations', vus: 1, iterations: 3 } },
  thresholds: { iterations: ['count>0'] },
};

export default function () {
  console.log(scenario.name, scenario.executor, scenario.iterationInTest, scenario.iterationInInstance);
  console.log(vu.idInTest, vu.idInInstance, vu.iterationInInstance, vu.iterationInScenario);
  console.log(exec.instance.vusInitialized, exec.instance.currentTestRunDuration > 0);
  console.log(scenario.startTime > 1e12, scenario.progress >= 0 && scenario.progress <= 1);
  console.log(JSON.stringify(exec.test.options.thresholds.iterations));
}

export function teardown() {
  try { console.log(exec.scenario.name); } catch (e) { console.log('no scenario'); }
  console.log(exec.vu.idInTest);
}
