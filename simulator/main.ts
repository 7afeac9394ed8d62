// Starts the WeChat Pay simulator alone, configured by command line options.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { onStopSignals } from '../config/stop-signals';
import {
  createMerchantCredentials,
  merchantFor,
  wechatpayEnvironment,
} from './wechatpay/keys/credentials';
import type { SimulatorOptions } from './wechatpay/options';
import { startSimulator } from './wechatpay/server';

const DEFAULT_NOTIFY_URL = 'http://127.0.0.1:3000/callbacks/wechat';
const HELP = `The WeChat Pay v3 simulator.

  --port <n>          port to listen on (default: any free one)
  --host <address>    default 127.0.0.1; the control API answers this machine only
  --config <file>     JSON: {"merchants":[{"merchantId","appIds","merchantSerial",
                      "merchantPublicKey","apiV3Key","mode","publicKeyId","platformPrivateKey"}],
                      "port"?, "host"?, "clockSpeed"?, "refuseCloseWithinMs"?, …}
  --mode <mode>       public_key (default), certificate or mixed; without --config
  --notify-url <url>  for the printed environment (default ${DEFAULT_NOTIFY_URL})
  --clock-speed <n>   divides the gaps between callback retries (default 1)
  --help

Without --config it makes up a merchant and prints the WECHATPAY_* environment for Oncepay.
`;

const mode = z.enum(['public_key', 'certificate', 'mixed']);
const configSchema = z.strictObject({
  merchants: z
    .array(
      z.strictObject({
        merchantId: z.string().min(1),
        appIds: z.array(z.string().min(1)).min(1),
        merchantSerial: z.string().min(1),
        merchantPublicKey: z.string().min(1),
        apiV3Key: z.string().length(32),
        mode: mode.optional(),
        publicKeyId: z.string().optional(),
        platformPrivateKey: z.string().optional(),
      }),
    )
    .min(1),
  port: z.int().min(0).max(65_535).optional(),
  host: z.string().optional(),
  clockSpeed: z.number().positive().optional(),
  callbackTimeoutMs: z.int().min(1).optional(),
  requirePlatformSerial: z.boolean().optional(),
  refuseCloseWithinMs: z.int().min(0).optional(),
  refundSpacingMs: z.int().min(0).optional(),
  refundsPerSecond: z.int().min(0).optional(),
  failingRefundsPerSecond: z.int().min(0).optional(),
  shareableAfterMs: z.int().min(0).optional(),
  maxSharingPercent: z.number().min(0).max(100).optional(),
  billReadyHour: z.int().min(0).max(23).optional(),
});
const flagsSchema = z.object({
  port: z.coerce.number().int().min(0).max(65_535).optional(),
  host: z.string().optional(),
  config: z.string().optional(),
  mode: mode.default('public_key'),
  'notify-url': z.url().default(DEFAULT_NOTIFY_URL),
  'clock-speed': z.coerce.number().positive().optional(),
  help: z.boolean().optional(),
});
type Flags = z.output<typeof flagsSchema>;

function readFlags(): Flags {
  const { values } = parseArgs({
    options: {
      port: { type: 'string' },
      host: { type: 'string' },
      config: { type: 'string' },
      mode: { type: 'string' },
      'notify-url': { type: 'string' },
      'clock-speed': { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  return flagsSchema.parse(values);
}

function overridden(options: SimulatorOptions, flags: Flags): SimulatorOptions {
  return {
    ...options,
    port: flags.port ?? options.port,
    host: flags.host ?? options.host,
    clockSpeed: flags['clock-speed'] ?? options.clockSpeed,
  };
}

async function start(flags: Flags): Promise<{ close: () => Promise<void> }> {
  if (flags.config !== undefined) {
    const config: unknown = JSON.parse(readFileSync(flags.config, 'utf8'));
    const simulator = await startSimulator(overridden(configSchema.parse(config), flags));
    process.stdout.write(`# The WeChat Pay simulator listens on ${simulator.url}\n`);
    return simulator;
  }
  const credentials = await createMerchantCredentials();
  const merchants = [merchantFor(credentials, flags.mode)];
  const simulator = await startSimulator(overridden({ merchants }, flags));
  process.stdout.write(`# The WeChat Pay simulator listens on ${simulator.url}\n`);
  const environment = wechatpayEnvironment(simulator, credentials, flags['notify-url']);
  for (const [name, value] of Object.entries(environment)) {
    process.stdout.write(`${name}=${value}\n`);
  }
  return simulator;
}

async function main(): Promise<void> {
  const flags = readFlags();
  if (flags.help === true) {
    process.stdout.write(HELP);
    return;
  }
  const simulator = await start(flags);
  onStopSignals({ signals: ['SIGTERM', 'SIGINT'], stop: () => void simulator.close() });
}

main().catch((error: unknown) => {
  const message = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
  process.stderr.write(`The simulator could not start: ${message}\n`);
  process.exitCode = 1;
});
