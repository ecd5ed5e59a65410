interface Unused { a: number }

function fails(what: string): never {
  throw new Error(`cannot ${what}`);
}
export default function (): void {
  fails('go on');
}
