// Says which keys belong to machines: they propose and approve nothing.
// Sandbox: deterministic only.

/** Keys of the role `merchant` belong to the shop's servers; all others belong to persons. */
export function isMachine(role: string): boolean {
  return role === 'merchant';
}
