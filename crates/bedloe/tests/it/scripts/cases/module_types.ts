// module
export type Pair = { left: number; right: number };
export enum Kind { First, Second, Named = 'named' }
export const double = (n: number): number => n * 2;
