// Starts a Temporal dev server on free ports, or uses the one that TEMPORAL_ADDRESS names.
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time';

import { freePort } from '../processes/free-port';
import { type Guardian, type OwnedChild, waitUntilReady } from '../processes/guardian-client';
import { systemEnvironment } from '../processes/system-environment';
import { findTemporalCli } from './temporal-cli';

const START_TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 1_000;
const CALL_TIMEOUT_MS = 5_000;
const POLL_MS = 100;
/** Another process may take a port between our check and the server's bind. */
const MAX_START_TRIES = 3;
const RETENTION = msToTs('1 day');
/** gRPC's status codes, as @grpc/grpc-js numbers them. */
const GRPC_ALREADY_EXISTS = 6;

/** The kind of Temporal server that a stack runs. */
export interface TemporalOptions {
  /** Keeps its data in a file, so that a restart loses nothing. Default false: in memory. */
  readonly persistent?: boolean;
  /** Additional namespaces besides `default`. */
  readonly namespaces?: readonly string[];
  /** Collects garbage rarely: less CPU for more memory. Default false. */
  readonly rareCollections?: boolean;
  /** Serves Temporal's Web UI. Default false. */
  readonly ui?: boolean;
  /** The frontend's port if it is free; else any free one. */
  readonly port?: number;
  /** Starts a server even if TEMPORAL_ADDRESS names a running one. Default false. */
  readonly own?: boolean;
}

/** A Temporal server that can be stopped and started again on the same port. */
export interface TemporalServer {
  readonly address: string;
  readonly uiUrl: string | null;
  start(): Promise<void>;
  /** SIGTERM lets it shut down in order, SIGKILL doesn't. Resolves when the server has ended. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

interface Plan {
  readonly guardian: Guardian;
  readonly cli: string;
  readonly dataDir: string;
  readonly options: TemporalOptions;
}

interface Ports {
  readonly frontend: number;
  readonly http: number;
  readonly metrics: number;
  readonly ui: number | null;
}

async function withConnection<T>(
  address: string,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await Connection.connect({ address, connectTimeout: CONNECT_TIMEOUT_MS });
  try {
    return await connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, () => use(connection));
  } finally {
    await connection.close();
  }
}

/** True if the frontend serves each namespace. @throws when it does not */
function isReadyFor(address: string, namespaces: readonly string[]): Promise<boolean> {
  return withConnection(address, async ({ workflowService }) => {
    for (const namespace of namespaces) await workflowService.describeNamespace({ namespace });
    // A namespace's first visibility query is slow, and fails while the store opens.
    await workflowService.countWorkflowExecutions({ namespace: namespaces[0] ?? 'default' });
    return true;
  });
}

function serverArguments({ options, dataDir }: Plan, ports: Ports): string[] {
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--log-level', 'error'];
  args.push('--port', String(ports.frontend), '--http-port', String(ports.http));
  args.push('--metrics-port', String(ports.metrics));
  if (ports.ui === null) args.push('--headless');
  else args.push('--ui-port', String(ports.ui), '--ui-disable-news-fetch');
  if (options.persistent === true) args.push('--db-filename', join(dataDir, 'temporal.db'));
  for (const namespace of options.namespaces ?? []) args.push('--namespace', namespace);
  // The next call sees a search attribute that was just registered, instead of some seconds later.
  args.push('--dynamic-config-value', 'system.forceSearchAttributesCacheRefreshOnRead=true');
  return args;
}

async function launch(plan: Plan, ports: Ports): Promise<OwnedChild> {
  const child = await plan.guardian.spawn('temporal', {
    command: plan.cli,
    args: serverArguments(plan, ports),
    env: systemEnvironment(plan.options.rareCollections === true ? { GOGC: '400' } : {}),
    logFile: join(plan.dataDir, 'temporal.log'),
    stage: 'server',
    stopSignal: 'SIGTERM',
  });
  const namespaces = ['default', ...(plan.options.namespaces ?? [])];
  const address = `127.0.0.1:${ports.frontend}`;
  await waitUntilReady(child, START_TIMEOUT_MS, () => isReadyFor(address, namespaces));
  return child;
}

async function choosePorts(options: TemporalOptions): Promise<Ports> {
  return {
    frontend: await freePort(options.port),
    http: await freePort(),
    metrics: await freePort(),
    ui: options.ui === true ? await freePort() : null,
  };
}

async function launchOnFreePorts(plan: Plan): Promise<{ child: OwnedChild; ports: Ports }> {
  for (let tries = 1; ; tries += 1) {
    const ports = await choosePorts(plan.options);
    try {
      return { child: await launch(plan, ports), ports };
    } catch (error) {
      if (tries === MAX_START_TRIES) throw error;
    }
  }
}

function isAlreadyThere(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === GRPC_ALREADY_EXISTS;
}

/**
 * Registers the missing namespaces on a running server and waits until each frontend cache has
 * them.
 */
async function ensureNamespaces(address: string, namespaces: readonly string[]): Promise<void> {
  await withConnection(address, async ({ workflowService }) => {
    for (const namespace of namespaces) {
      await workflowService
        .registerNamespace({ namespace, workflowExecutionRetentionPeriod: RETENTION })
        .catch((error: unknown) => {
          if (!isAlreadyThere(error)) throw error;
        });
    }
  });
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await isReadyFor(address, namespaces).catch(() => false))) {
    if (Date.now() > deadline)
      throw new Error(
        `Temporal at ${address} doesn't serve the namespaces ${namespaces.join()}: read its log.`,
      );
    await delay(POLL_MS);
  }
}

function running(address: string): TemporalServer {
  const refuse = () =>
    Promise.reject(
      new Error(`Temporal at ${address} (TEMPORAL_ADDRESS) isn't ours to stop or start.`),
    );
  return { address, uiUrl: null, start: refuse, stop: refuse };
}

/**
 * Starts the dev server, or connects to TEMPORAL_ADDRESS, and waits until it serves each
 * namespace.
 * @throws one sentence that says what is missing, or the server's last log lines
 */
export async function startTemporal(
  guardian: Guardian,
  dataDir: string,
  options: TemporalOptions,
  log: (line: string) => void,
): Promise<TemporalServer> {
  const given = process.env['TEMPORAL_ADDRESS'];
  if (given !== undefined && given !== '' && options.own !== true) {
    await ensureNamespaces(given, options.namespaces ?? []).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`TEMPORAL_ADDRESS names ${given}, which doesn't answer: ${reason}`);
    });
    return running(given);
  }
  const plan = { guardian, cli: await findTemporalCli(guardian, dataDir, log), dataDir, options };
  const first = await launchOnFreePorts(plan);
  let child: OwnedChild | null = first.child;
  return {
    address: `127.0.0.1:${first.ports.frontend}`,
    uiUrl: first.ports.ui === null ? null : `http://127.0.0.1:${first.ports.ui}`,
    async start() {
      child ??= await launch(plan, first.ports);
    },
    async stop(signal = 'SIGTERM') {
      const stopped = child;
      child = null;
      await stopped?.signal(signal);
      await stopped?.exited;
    },
  };
}
