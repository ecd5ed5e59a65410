// Orders fed from a file that all users share: each iteration takes the next customer.
//
//   bedloe load -e URL=http://127.0.0.1:8080 examples/load/data.js
//   bedloe lab --script examples/load/data.js
import http from 'k6/http';
import { check } from 'k6';
import { SharedArray } from 'k6/data';
import { scenario } from 'k6/execution';

const base = __ENV.URL || 'http://127.0.0.1:8080';
const customers = new SharedArray('customers', () => JSON.parse(open('./customers.json')));

export const options = {
  scenarios: {
    customers: { executor: 'shared-iterations', vus: 5, iterations: Number(__ENV.ITERATIONS || 500) },
  },
  thresholds: { checks: ['rate==1'] },
};

export default function () {
  const customer = customers[scenario.iterationInTest % customers.length];
  const id = `${customer.id}-${scenario.iterationInTest}`;
  const res = http.post(`${base}/accounts-external/api/orders`, JSON.stringify(customer), {
    headers: { 'Content-Type': 'application/json', 'X-Order-Id': id },
    tags: { country: customer.country },
  });
  check(res, { 'the order was taken': (r) => r.status === 201 && r.json('id') === id });
}
