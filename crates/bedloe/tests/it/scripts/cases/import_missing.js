import { x } from './not_there.js';
export default function () { x(); }
