export const options = { iterations: 1, notAnOption: 5, ext: { loadimpact: {} } };
export default function () {}
