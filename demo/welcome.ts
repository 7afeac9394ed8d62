import { join } from 'node:path';
import { orderBody } from './shop';
import type { World } from './world';

const LABEL_WIDTH = 18;

function line(label: string, text: string): string {
  return `  ${label.padEnd(LABEL_WIDTH)}${text}`;
}

/** Where everything is, and the three calls that a newcomer tries first. */
export function renderWelcome({ oncepay, simulator, stack, webUiUrl }: World): string {
  const { apiUrl, keys } = oncepay;
  const control = `${simulator.url}/_control`;
  const key = `-H 'Authorization: Bearer ${keys.merchant}'`;
  const body = JSON.stringify(orderBody({ user: 'me', sku: 'book', quantity: 1, unitFen: 4_200 }));
  return [
    'Everything stays up until Ctrl-C.',
    '',
    line('API', `${apiUrl}   (/openapi.json, /readyz, /metrics)`),
    line('  merchant key', keys.merchant),
    line('  admin key', keys.admin),
    line('Temporal Web UI', webUiUrl ?? `that of ${stack.temporalAddress} (TEMPORAL_ADDRESS)`),
    line('WeChat simulator', `${control}/orders   (/pay, /notify, /faults, …)`),
    line('Logs', join(stack.dataDir, '*.log')),
    '',
    'Make an order, let its user pay, look at it:',
    '',
    `  curl -s ${apiUrl}/v1/orders ${key} \\`,
    `    -H 'Content-Type: application/json' -d '${body}'`,
    `  curl -s ${control}/pay -d '{"out_trade_no":"<number>"}'`,
    `  curl -s ${apiUrl}/v1/orders/<number> ${key}`,
  ].join('\n');
}
