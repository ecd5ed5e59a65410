export const options = { dns: { policy: 'nothing' } };
export default function () {}
