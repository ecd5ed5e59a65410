export const options = { blacklistIPs: ['nothing'] };
export default function () {}
