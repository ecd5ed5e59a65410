import { Counter, Gauge, Rate, Trend } from 'k6/metrics';

const count = new Counter('my_count');
const gauge = new Gauge('my_gauge');
const rate = new Rate('my_rate');
const trend = new Trend('my_trend');
const time = new Trend('my_time', true);

export const options = {
  iterations: 4,
  thresholds: {
    my_count: ['count==20', 'count>100'],
    'my_count{kind:a}': ['count==4'],
    my_gauge: ['value<10'],
    my_rate: [{ threshold: 'rate<0.5' }],
    my_trend: ['p(90)<4', 'max<=3', 'avg>0', 'med>=1', 'min==0'],
  },
};

export default function () {
  count.add(1, { kind: 'a' });
  count.add(4);
  gauge.add(__ITER);
  rate.add(__ITER === 0);
  rate.add(1);
  trend.add(__ITER);
  time.add(1500);
  trend.add('7');
  console.log(count.add(1 - 1), trend.name);
}
