import { msToTs } from '@temporalio/common/lib/time';
import type { NativeConnection } from '@temporalio/worker';

/** Histories of ended runs stay this long in a namespace that we make: a dispute is younger than that. */
const RETENTION = '30d';
/** grpc.status: the two answers that are none of a failure here. */
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;

const hasCode = (error: unknown, code: number) =>
  error instanceof Error && 'code' in error && error.code === code;

/**
 * Registers the namespace where it is missing: a server may have lost its data. One that is there keeps
 * its settings, whoever made them.
 * @returns true when it had to be made
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
