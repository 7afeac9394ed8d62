// Registers the Temporal namespace when it is missing.
import { msToTs } from '@temporalio/common/lib/time';
import type { NativeConnection } from '@temporalio/worker';

/** A namespace that we make keeps the histories of ended runs for so long, enough for a dispute. */
const RETENTION = '30d';
/** Codes of grpc.status that are no failure here. */
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;

const hasCode = (error: unknown, code: number) =>
  error instanceof Error && 'code' in error && error.code === code;

/**
 * Registers the namespace when it is missing, as after a loss of the server's data. An existing
 * namespace keeps its settings.
 * @returns true when it was missing
 */
export async function ensureNamespace(
  { workflowService }: Pick<NativeConnection, 'workflowService'>,
  namespace: string,
): Promise<boolean> {
  try {
    await workflowService.describeNamespace({ namespace });
    return false;
  } catch (error) {
    if (!hasCode(error, NOT_FOUND)) throw error;
  }
  try {
    await workflowService.registerNamespace({
      namespace,
      description: 'Oncepay',
      workflowExecutionRetentionPeriod: msToTs(RETENTION),
    });
    return true;
  } catch (error) {
    // Another worker was faster.
    if (hasCode(error, ALREADY_EXISTS)) return false;
    throw error;
  }
}
