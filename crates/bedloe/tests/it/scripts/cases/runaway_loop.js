export const options = {
  scenarios: { a: { executor: 'constant-vus', vus: 2, duration: '1s', gracefulStop: '0s' } },
};
export default function () {
  for (;;) {}
}
