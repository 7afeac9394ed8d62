// Scenario of webhooks: the shop receives them signed, each under a stable id.
import { SOON_MS, waitUntil } from '../wait-until';
import type { Scenario, Seen, World } from '../world';

async function playWebhooks({ shop, simulator, webhooks }: World): Promise<Seen> {
  const placed = await shop.order({ user: 'subscriber', sku: 'postcard', unitFen: 600 });
  const outTradeNo = placed.out_trade_no;
  await simulator.pay({ outTradeNo });
  const received = await waitUntil(`two webhooks about ${outTradeNo}`, SOON_MS, () => {
    const all = webhooks.of(outTradeNo);
    return all.length >= 2 ? all : undefined;
  });
  const events = received.map(({ event }) => event).sort((a, b) => b.localeCompare(a));
  const stable = received.every(({ id, event }) => id === `${outTradeNo}:${event}`);
  const valid = received.filter(({ rawBody, headers }) => webhooks.verify(rawBody, headers));
  const forged = received.filter(({ rawBody, headers }) =>
    webhooks.verify(rawBody.replace('"total":', '"total":9'), headers),
  );
  const signatures = `${valid.length} signatures valid, ${forged.length} valid for a changed body`;
  const ids = stable ? 'ids <number>:<event>' : `ids ${received.map(({ id }) => id).join(' ')}`;
  return { seen: `${events.join(', ')}; ${signatures}; ${ids}` };
}

/** Webhooks that the shop receives. */
export const webhookScenarios: readonly Scenario[] = [
  {
    name: 'The shop receives signed webhooks',
    expected:
      'order.paid, order.fulfilled; 2 signatures valid, 0 valid for a changed body; ' +
      'ids <number>:<event>',
    play: playWebhooks,
  },
];
