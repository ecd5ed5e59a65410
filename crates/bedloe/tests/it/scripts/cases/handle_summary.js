import { check } from 'k6';

export const options = { iterations: 2, thresholds: { iterations: ['count==2', 'count>9'] } };

export function setup() { return { from: 'setup' }; }
export default function () { check(1, { one: (v) => v === 1, two: (v) => v === 2 }); }

export function handleSummary(data) {
  const { metrics, root_group: root, setup_data: setup, options, state } = data;
  const lines = [
    Object.keys(metrics).sort().join(),
    JSON.stringify(Object.entries(metrics.iterations.thresholds).sort()),
    metrics.checks.type + metrics.checks.contains + JSON.stringify(metrics.checks.values, ['passes', 'fails', 'rate']),
    JSON.stringify(root.checks.map((c) => [c.name, c.path, c.id, c.passes, c.fails])),
    JSON.stringify(setup),
    JSON.stringify(options.summaryTrendStats) + options.summaryTimeUnit,
    Object.keys(state).sort().join() + state.isStdOutTTY + typeof state.testRunDurationMs,
    Object.keys(metrics.iteration_duration.values).sort().join(),
  ];
  return { stdout: lines.join('\n') + '\n', 'summary.json': JSON.stringify(data) };
}
