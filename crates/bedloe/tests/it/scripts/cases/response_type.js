import http from 'k6/http';

export const options = { discardResponseBodies: true };

export default function () {
  const url = `${__ENV.URL}/text`;
  console.log(http.get(url).body, http.get(url, { responseType: 'text' }).body);
  const bytes = http.get(url, { responseType: 'binary' }).body;
  console.log(bytes instanceof ArrayBuffer, bytes.byteLength, new Uint8Array(bytes)[0]);
  console.log(http.get(url, { responseType: 'none' }).body);
}
