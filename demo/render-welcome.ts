// Renders the text that the demo ends with: addresses, keys and the first calls to try.
import { join } from 'node:path';
import { orderBody } from './shop';
import type { World } from './world';

const LABEL_WIDTH = 18;

function line(label: string, text: string): string {
  return `  ${label.padEnd(LABEL_WIDTH)}${text}`;
}

/** The addresses of everything that runs, and the calls that a newcomer tries first. */
export function renderWelcome({ oncepay, simulator, stack, webUiUrl }: World): string {
  const { apiUrl, keys } = oncepay;
  const control = `${simulator.url}/_control`;
  const as = (key: string) => `-H 'Authorization: Bearer ${key}'`;
  const json = `-H 'Content-Type: application/json'`;
  const body = JSON.stringify(orderBody({ user: 'me', sku: 'book', quantity: 1, unitFen: 4_200 }));
  return [
    'Everything keeps running until you press Ctrl-C.',
    '',
    line('API', `${apiUrl}   (/openapi.json, /readyz, /metrics)`),
    line('  merchant key', keys.merchant),
    line('  operator key', keys.operator),
    line('  admin key', keys.admin),
    line(
      'Temporal Web UI',
      webUiUrl ?? `the one of the server at ${stack.temporalAddress} (TEMPORAL_ADDRESS)`,
    ),
    line('WeChat simulator', `${control}/orders   (/pay, /notify, /faults, …)`),
    line('Runbook', 'docs/operate/runbook.md   (what to do about each intervention)'),
    line('Logs', join(stack.dataDir, '*.log')),
    '',
    'Create an order, let its user pay in the simulator, then read it:',
    '',
    `  curl -s ${apiUrl}/v1/orders ${as(keys.merchant)} \\`,
    `    ${json} -d '${body}'`,
    `  curl -s ${control}/pay -d '{"out_trade_no":"<number>"}'`,
    `  curl -s ${apiUrl}/v1/orders/<number> ${as(keys.merchant)}`,
    '',
    'One intervention is open: a user paid the wrong amount. Read it, then refund the payment:',
    '',
    `  curl -s '${apiUrl}/v1/interventions?status=open' ${as(keys.operator)}`,
    `  curl -s ${apiUrl}/v1/orders/<number>/resolution ${as(keys.operator)} \\`,
    `    ${json} -d '{"action":"refund","note":"wrong amount"}'`,
  ].join('\n');
}
