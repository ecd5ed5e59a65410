// args: --execution-segment 1/4:1/2 --execution-segment-sequence 0,1/4,1/2,1
import exec from 'k6/execution';
export const options = { scenarios: { all: { executor: 'shared-iterations', vus: 8, iterations: 40 } } };
export default function () {
  if (exec.scenario.iterationInTest === 3) console.log(exec.scenario.iterationInInstance);
}
