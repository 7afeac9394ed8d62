// Connects the api to Temporal, and checks whether Temporal can be used.
import { Client, Connection } from '@temporalio/client';
import type { TemporalSettings } from '../../config/settings';
import { SEARCH_ATTRIBUTES } from '../../domain/temporal/task-queues';

/** gRPC's default waits up to two minutes before it reconnects; orders can't wait that long. */
const RECONNECT_MS = { initial: 250, max: 3_000 };
const CHECK_TIMEOUT_MS = 1_500;

/** The state of Temporal as `/readyz` shows it. */
export interface TemporalHealth {
  readonly temporal: 'up' | 'down';
  readonly searchAttributes: 'registered' | 'missing' | 'unknown';
}

/** Connects with the first call, so that the api accepts callbacks while Temporal is away (P1). */
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

    /** For `/readyz`: while a search attribute is not registered, no order's run can start. */
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

    /** Makes a small request to the server. @throws when the server does not respond in time */
    ping: (): Promise<unknown> =>
      connection.withDeadline(Date.now() + CHECK_TIMEOUT_MS, () =>
        connection.workflowService.describeNamespace({ namespace }),
      ),

    close: (): Promise<void> => connection.close(),
  };
}
