// Scenarios of the five payment channels, with stock and with virtual goods.
import type { Channel } from '../../domain/orders/channels';
import type { OrderReply } from '../replies';
import type { Scenario, World } from '../world';

const WHOLE_WAY = 'created → awaiting_payment → paid → fulfilled';

/** The statuses of an order, in the order in which it had them. */
export function statusPath(order: OrderReply): string {
  return order.history.map(({ to }) => to).join(' → ');
}

function fieldsOf(payment: Readonly<Record<string, string>> | null): string {
  return payment === null ? 'no payment' : `payment {${Object.keys(payment).sort().join(', ')}}`;
}

/** An order of goods that Oncepay has no product for: it only counts points and sales. */
function paidThrough(channel: Channel, fields: string): Scenario {
  return {
    name: `An order through ${channel} is paid and fulfilled`,
    expected: `payment {${fields}}; ${WHOLE_WAY}`,
    async play({ shop, simulator }) {
      const user = `${channel}-user`;
      const placed = await shop.order({ channel, user, sku: 'postcard', unitFen: 500 });
      await simulator.pay({ outTradeNo: placed.out_trade_no });
      const order = await shop.waitFor(placed.out_trade_no, 'fulfilled');
      return { seen: `${fieldsOf(placed.payment)}; ${statusPath(order)}` };
    },
  };
}

async function playStock({ shop, simulator }: World): Promise<{ seen: string }> {
  await shop.putProduct('mug', { name: 'A mug', stock: 10 });
  const wish = { user: 'mug-buyer', sku: 'mug', quantity: 2, unitFen: 1_500 };
  const { out_trade_no: outTradeNo } = await shop.order({ ...wish, channel: 'miniprogram' });
  const before = await shop.product('mug');
  await simulator.pay({ outTradeNo });
  const order = await shop.waitFor(outTradeNo, 'fulfilled');
  const after = await shop.product('mug');
  const points = await shop.points('mug-buyer');
  const reserved = `${before.reserved} of ${before.stock ?? 0} reserved`;
  const left = `${(after.stock ?? 0) - after.reserved} left, ${after.sold} sold`;
  return { seen: `${reserved}; ${order.status}: ${left}, ${points} points` };
}

async function playCodes({ shop, simulator }: World): Promise<{ seen: string }> {
  const pool = ['CARD-ONE', 'CARD-TWO', 'CARD-THREE'];
  await shop.putProduct('gift-card', { name: 'A gift card', codes: pool });
  const wish = { user: 'card-buyer', sku: 'gift-card', quantity: 2, unitFen: 10_000 };
  const placed = await shop.order({ ...wish, channel: 'admin' });
  const outTradeNo = placed.out_trade_no;
  const early = (await shop.read(outTradeNo)).codes.length;
  await simulator.pay({ outTradeNo });
  const order = await shop.waitFor(outTradeNo, 'fulfilled');
  const { codes_left: left } = await shop.product('gift-card');
  const handedOut = new Set(order.codes.map(({ code }) => code).filter((c) => pool.includes(c)));
  const codes = `${early} codes before, ${handedOut.size} after, ${left} left`;
  return { seen: `${fieldsOf(placed.payment)}; ${order.status}: ${codes}` };
}

/** The five payment channels, with stock and with virtual goods among them. */
export const channelScenarios: readonly Scenario[] = [
  {
    name: 'An order reserves goods with stock, then takes them',
    expected: '2 of 10 reserved; fulfilled: 8 left, 2 sold, 30 points',
    play: playStock,
  },
  paidThrough('miniprogram', 'nonceStr, package, paySign, signType, timeStamp'),
  paidThrough('official_account', 'appId, nonceStr, package, paySign, signType, timeStamp'),
  paidThrough('h5', 'h5_url'),
  paidThrough('app', 'appId, nonceStr, packageValue, partnerId, prepayId, sign, timeStamp'),
  {
    name: 'An order of virtual goods by QR code gets its codes when it is paid',
    expected: 'payment {code_url}; fulfilled: 0 codes before, 2 after, 1 left',
    play: playCodes,
  },
];
