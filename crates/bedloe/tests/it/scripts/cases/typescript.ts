import { check } from 'k6';
import http, { type RefinedResponse, ResponseType } from 'k6/http';
import { Counter } from 'k6/metrics';
import type { Options } from 'k6/options';
import { double, type Pair, Kind } from './module_types.ts';

export const options: Options = { iterations: 2, vus: 1, thresholds: { seen: ['count==2'] } };

const seen: Counter = new Counter('seen');
interface Echo { method: string; body?: string }
abstract class Base<T> { protected abstract value(): T; shown(): string { return `<${this.value()}>`; } }
class Own extends Base<number> {
  constructor(private readonly inner: number, public name: string = 'own') { super(); }
  protected value(): number { return this.inner; }
}
namespace Texts { export const hello = 'hello'; }
function first<T>(list: readonly T[]): T | undefined { return list[0]!; }
declare const __ENV: Record<string, string>;

export function setup(): Pair { return { left: 1, right: Kind.Second }; }

export default function (data: Pair): void {
  const response: RefinedResponse<ResponseType> = http.post(`${__ENV.URL}/echo`, 'typed') as any;
  const echo = response.json() as unknown as Echo;
  check(response, { 'is typed': (r) => r.status === 200 && echo.body === 'typed' });
  const own = new Own(3);
  console.log(data.left, data.right, own.shown(), own.name, Texts.hello, first<number>([7, 8]), double(4));
  console.log(Kind[1], <string>'cast', ((x?: number) => x ?? 'none')(), { a: 1 } satisfies object);
  seen.add(1);
}
