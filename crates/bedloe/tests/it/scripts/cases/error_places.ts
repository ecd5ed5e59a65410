type A = { x: number };
interface B { y: string }
const told = (e: Error): string => (e.stack as string).split('\n').map((line) => line.trim().replace(/.*\/([a-z_.]+:\d+).*/, '$1')).filter((line) => line).join(' | ');
function deep(a: A): never {
  throw new Error(`from line 5: ${a.x}`);
}
export default function (): void {
  try { deep({ x: 1 }); } catch (e) { console.log(told(e as Error)); }
  const own: B | Error = new TypeError('own');

  console.log(told(own as Error), (own as Error).stack!.startsWith('TypeError: own\n\tat default ('));
}
