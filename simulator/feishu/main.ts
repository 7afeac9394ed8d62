// Starts the Feishu simulator alone, configured by command line options.
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { onStopSignals } from '../../config/stop-signals';
import { feishuEnvironment } from './control/environment';
import { startFeishuSimulator } from './server';

const DEFAULT_CALLBACK_URL = 'http://127.0.0.1:3000/callbacks/feishu';
const HELP = `The Feishu simulator. Its page shows the tables and the chat.

  --port <n>            port to listen on (default: any free one)
  --host <address>      default 127.0.0.1
  --callback-url <url>  for events and card callbacks (default ${DEFAULT_CALLBACK_URL})
  --monthly-calls <n>   the quota of the month (default: none)
  --help

It makes up an app and prints the FEISHU_* environment for Oncepay.
`;

const flagsSchema = z.object({
  port: z.coerce.number().int().min(0).max(65_535).optional(),
  host: z.string().optional(),
  'callback-url': z.url().default(DEFAULT_CALLBACK_URL),
  'monthly-calls': z.coerce.number().int().min(0).optional(),
  help: z.boolean().optional(),
});

function readFlags(): z.output<typeof flagsSchema> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string' },
      host: { type: 'string' },
      'callback-url': { type: 'string' },
      'monthly-calls': { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  return flagsSchema.parse(values);
}

async function main(): Promise<void> {
  const flags = readFlags();
  if (flags.help === true) {
    process.stdout.write(HELP);
    return;
  }
  const simulator = await startFeishuSimulator({
    port: flags.port,
    host: flags.host,
    callbackUrl: flags['callback-url'],
    monthlyCalls: flags['monthly-calls'],
  });
  process.stdout.write(`# The Feishu simulator listens on ${simulator.url}\n`);
  for (const [name, value] of Object.entries(feishuEnvironment(simulator))) {
    process.stdout.write(`${name}=${value}\n`);
  }
  onStopSignals({ signals: ['SIGTERM', 'SIGINT'], stop: () => void simulator.close() });
}

main().catch((error: unknown) => {
  const message = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
  process.stderr.write(`The Feishu simulator could not start: ${message}\n`);
  process.exitCode = 1;
});
