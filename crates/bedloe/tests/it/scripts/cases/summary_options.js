import { Trend } from 'k6/metrics';

const trend = new Trend('t');
export const options = { iterations: 3, summaryTrendStats: ['count', 'p(99)', 'avg', 'max'], summaryTimeUnit: 's' };
export default function () { trend.add(__ITER); }
