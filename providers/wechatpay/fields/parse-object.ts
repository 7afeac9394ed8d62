// Parses JSON text from WeChat that has to be an object.
/** Parses a JSON object. Null for any other text. A key `__proto__` is a field like any other. */

export function parseObject(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
