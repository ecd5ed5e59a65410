import { own, later } from './remote/lib/asks.js';
const again = later();

export default function () { console.log(own, again); }
