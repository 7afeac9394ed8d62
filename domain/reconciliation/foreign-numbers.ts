// Tells the order numbers of other systems on the same merchant number from ours.
// Sandbox: deterministic only.
import { parseOrderNumber } from '../orders/order-number';

/**
 * True for a number that Oncepay did not make: it has not the form of our numbers, or wrong check
 * digits, or one of the prefixes that an admin has set (`reconcile_foreign_prefixes`).
 * @param outTradeNo null where a line of the bill has none
 */
export function isForeignNumber(outTradeNo: string | null, prefixes: readonly string[]): boolean {
  if (outTradeNo === null) return true;
  if (prefixes.some((prefix) => outTradeNo.startsWith(prefix))) return true;
  return parseOrderNumber(outTradeNo).kind !== 'valid';
}
