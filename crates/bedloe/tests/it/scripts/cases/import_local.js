import doubled, { name, count } from './module_local.js';
import * as all from './module_local.js';

export const options = { vus: 1, iterations: 2 };

export default function () {
  console.log(doubled(21), name, count(), Object.keys(all).sort().join());
}
