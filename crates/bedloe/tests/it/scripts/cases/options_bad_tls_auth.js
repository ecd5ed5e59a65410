export const options = { tlsAuth: [{ cert: 'nothing', key: 'nothing' }] };
export default function () {}
