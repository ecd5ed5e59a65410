// env: K6_LOG_OUTPUT=none
export default function () {
  console.log('nobody hears it');
}
