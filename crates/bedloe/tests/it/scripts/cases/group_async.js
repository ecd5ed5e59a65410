import { group } from 'k6';

export default function () {
  try { group('a', async () => {}); } catch (e) { console.log('async refused'); }
  try { group('a::b', () => {}); } catch (e) { console.log('name refused'); }
  try { group('throws', () => { throw new Error('x'); }); } catch (e) { console.log(e.message); }
}
