export const options = { ext: { loadimpact: { name: 'a test' } }, cloud: { projectID: 1 }, iterations: 1, surelyUnknown: 1 };
export default function () {}
