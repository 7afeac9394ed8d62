// Says which person a key belongs to: two keys of one person never approve each other's requests.
// Sandbox: deterministic only.

/** The owner of an API key. */
export interface KeyOwner {
  readonly name: string;
  /** The person who uses the key; null or left out where the key names none. */
  readonly operator?: string | null;
}

/**
 * The person behind a key: its operator, or else its name. Two names that differ only by case, or
 * by the form of a character (NFKC), are one person.
 */
export function personOf({ name, operator }: KeyOwner): string {
  return (operator ?? name).normalize('NFKC').trim().toLowerCase();
}

/** Keys of the role `merchant` belong to the shop's servers; all others belong to persons. */
export function isMachine(role: string): boolean {
  return role === 'merchant';
}
