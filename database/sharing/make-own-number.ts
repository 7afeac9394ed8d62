// Makes the numbers that Oncepay gives to sharings, unfreezes and share returns.
import { OWN_PREFIX } from '../../domain/refunds/refund-number';
import type { DatabaseContext } from '../core/context';

/** Hex digits: 160 bits. */
const DERIVED_LENGTH = 40;

/**
 * Makes a number from what it is for. The same input gives the same number each time, even with a
 * restored database that has lost what was sent before (0018).
 */
export function makeOwnNumber(
  { hash }: Pick<DatabaseContext, 'hash'>,
  of: readonly (string | number)[],
): string {
  return `${OWN_PREFIX}${hash.hex('number', JSON.stringify(of)).slice(0, DERIVED_LENGTH)}`;
}
