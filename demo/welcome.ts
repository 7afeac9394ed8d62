import { join } from 'node:path';
import { orderBody } from './shop';
import type { World } from './world';

const LABEL_WIDTH = 18;

function line(label: string, text: string): string {
  return `  ${label.padEnd(LABEL_WIDTH)}${text}`;
}

/** Where everything is, and the calls that a newcomer tries first. */
export function renderWelcome({ oncepay, simulator, stack, webUiUrl }: World): string {
  const { apiUrl, keys } = oncepay;
  const control = `${simulator.url}/_control`;
  const as = (key: string) => `-H 'Authorization: Bearer ${key}'`;
  const json = `-H 'Content-Type: application/json'`;
  const body = JSON.stringify(orderBody({ user: 'me', sku: 'book', quantity: 1, unitFen: 4_200 }));
  return [
    'Everything stays up until Ctrl-C.',
    '',
    line('API', `${apiUrl}   (/openapi.json, /readyz, /metrics)`),
    line('  merchant key', keys.merchant),
    line('  operator key', keys.operator),
    line('  admin key', keys.admin),
    line('Temporal Web UI', webUiUrl ?? `that of ${stack.temporalAddress} (TEMPORAL_ADDRESS)`),
    line('WeChat simulator', `${control}/orders   (/pay, /notify, /faults, …)`),
    line('Runbook', 'docs/operate/runbook.md   (what to do when a person is needed)'),
    line('Logs', join(stack.dataDir, '*.log')),
    '',
    'Make an order, let its user pay, look at it:',
    '',
    `  curl -s ${apiUrl}/v1/orders ${as(keys.merchant)} \\`,
    `    ${json} -d '${body}'`,
    `  curl -s ${control}/pay -d '{"out_trade_no":"<number>"}'`,
    `  curl -s ${apiUrl}/v1/orders/<number> ${as(keys.merchant)}`,
    '',
    'One question is open, of a wrong amount. Read it, then send the money back:',
    '',
    `  curl -s '${apiUrl}/v1/interventions?status=open' ${as(keys.operator)}`,
    `  curl -s ${apiUrl}/v1/orders/<number>/resolution ${as(keys.operator)} \\`,
    `    ${json} -d '{"action":"refund","note":"not what we asked for"}'`,
  ].join('\n');
}
