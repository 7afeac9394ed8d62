// Parses JSON text from WeChat that has to be an object.
const BYTE_ORDER_MARK = '\ufeff';

/**
 * Parses a JSON object, also behind a byte order mark. A key `__proto__` is a field like any other.
 * @returns null for any other text
 */
export function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** True for an object that is no array. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
