import { Client, Connection } from '@temporalio/client';
import type { TemporalSettings } from '../../config/settings';
import { SEARCH_ATTRIBUTES } from '../../domain/temporal/task-queues';

/** gRPC's own default lets two minutes pass before it tries again; orders may wait for one. */
const RECONNECT_MS = { initial: 250, max: 3_000 };
const CHECK_TIMEOUT_MS = 1_500;

export interface TemporalHealth {
  readonly temporal: 'up' | 'down';
  readonly searchAttributes: 'registered' | 'missing' | 'unknown';
}

/** Connects with the first call, so the api starts and accepts callbacks while Temporal is away (P1). */
export function connectTemporal({ connection: options, namespace }: TemporalSettings) {
  const connection = Connection.lazy({
    ...options,
    connectTimeout: '5s',
    channelArgs: {
      'grpc.initial_reconnect_backoff_ms': RECONNECT_MS.initial,
      'grpc.max_reconnect_backoff_ms': RECONNECT_MS.max,
    },
  });
  return {
    client: new Client({ connection, namespace }),

    /** For `/readyz`: an unregistered search attribute would hang every order without a word. */
    async health(): Promise<TemporalHealth> {
      try {
        const { customAttributes } = await connection.withDeadline(
          Date.now() + CHECK_TIMEOUT_MS,
          () => connection.operatorService.listSearchAttributes({ namespace }),
        );
        const registered = Object.values(SEARCH_ATTRIBUTES).every(
          (name) => name in customAttributes,
        );
        return { temporal: 'up', searchAttributes: registered ? 'registered' : 'missing' };
      } catch {
        return { temporal: 'down', searchAttributes: 'unknown' };
      }
    },

    /** Asks the server for something small. @throws when it does not answer */
    ping: (): Promise<unknown> =>
      connection.withDeadline(Date.now() + CHECK_TIMEOUT_MS, () =>
        connection.workflowService.describeNamespace({ namespace }),
      ),

    close: (): Promise<void> => connection.close(),
  };
}
