const text = open('./module_local.js');
const bytes = open('module_local.js', 'b');

export default function () {
  console.log(text.length === bytes.byteLength, text.split('\n')[0], bytes instanceof ArrayBuffer);
  try { open('./module_local.js'); } catch (e) { console.log('init only'); }
}
