import common, { two, next } from './module_commonjs.js';
import * as all from './module_shape.js';
import shape from './module_shape.js';
const local = require('./module_local.js');

export const options = { iterations: 2 };
export default function () {
  console.log(two, next(), common.two, all.kind, shape.kind, common.shape === shape, Object.keys(local).sort());
  try {
    require('./module_shape.js');
  } catch (error) {
    console.log('only in init code');
  }
}
