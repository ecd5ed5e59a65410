// A redirect of a module is followed.
import { two } from 'https://TLS_HOST/to?/module/lib/index.js';
export default function () { console.log(two); }
