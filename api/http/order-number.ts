import { parseOrderNumber } from '../../domain/orders/order-number';
import { ApiError } from './problem';
import type { Call } from './operations';

/** The number of the path. @throws ApiError 400 before any look-up when it is mistyped */
export function numberOf(call: Call): string {
  const parsed = parseOrderNumber(call.params['no'] ?? '');
  if (parsed.kind === 'valid') return parsed.number;
  throw new ApiError(
    'IDENTIFIER_INVALID',
    parsed.kind === 'malformed'
      ? 'This is not an order number'
      : 'The check digits of this order number are wrong',
    { errors: [{ field: 'no', message: parsed.kind.replaceAll('_', ' ') }] },
  );
}
