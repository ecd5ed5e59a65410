export const options = { tlsCipherSuites: ['nothing'] };
export default function () {}
