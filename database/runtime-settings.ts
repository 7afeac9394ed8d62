import type { Transaction } from './context';

/** What happens to money that came after the close: it goes back by itself, or a person decides. */
export type LatePaymentPolicy = 'refund' | 'ask';

/** Read in the transaction that books the payment. */
export async function latePaymentPolicy(tx: Transaction): Promise<LatePaymentPolicy> {
  const row = await tx.runtimeSetting.findUnique({
    where: { name: 'late_payment' },
    select: { value: true },
  });
  return row?.value === 'ask' ? 'ask' : 'refund';
}
