// Masks the account of a receiver.
// Sandbox: deterministic only.

/** A longer end would be enough to guess the account. */
const MAX_SHOWN = 4;

/** Both ends of an account: enough to recognise it, too few to use it. */
export function maskAccount(account: string): string {
  const shown = Math.min(MAX_SHOWN, Math.floor(account.length / 3));
  return `${account.slice(0, shown)}***${account.slice(account.length - shown)}`;
}
