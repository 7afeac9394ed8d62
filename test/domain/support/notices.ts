// Notices for tests: written with amounts as plain numbers.
import { isFen, type Fen } from '../../../domain/money';

/** Changes to a `T` whose amounts are written as plain numbers. */
export type PlainChanges<T> = {
  readonly [K in keyof T]?: T[K] extends Fen | null ? number | null : T[K];
};

/** A copy of `base` with the changes. @throws when a changed amount is no `Fen` */
export function withChanges<T extends object>(base: T, changes: PlainChanges<T>): T {
  for (const [name, value] of Object.entries(changes)) {
    if (typeof value === 'number' && !isFen(value)) throw new RangeError(`${name}: ${value}`);
  }
  return { ...base, ...(changes as Partial<T>) };
}
