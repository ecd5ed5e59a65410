import { one } from './one.js';
export const two = one + one;
export function uuid() { return `uuid-${two}`; }
