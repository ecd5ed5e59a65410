import { Counter, Trend } from 'k6/metrics';

const count = new Counter('a_count');
const trend = new Trend('a_trend');

export default function () {
  trend.add(true);
  trend.add('2.5');
  count.add(3);
}
