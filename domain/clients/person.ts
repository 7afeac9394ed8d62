// Names the person behind an API key, for rules that need two persons.
// Sandbox: deterministic only.

/**
 * The person whose key it is: its operator, and where it names none, its name. Names that differ by
 * case only are one person.
 */
export function personOf(key: {
  readonly name: string;
  readonly operator?: string | null;
}): string {
  return (key.operator ?? key.name).toLowerCase();
}
