import type { NativeConnection } from '@temporalio/worker';
import { SEARCH_ATTRIBUTES } from '../domain/temporal/task-queues';

/** temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD */
const KEYWORD = 2;

/**
 * Registers our search attributes where they are missing. A run that writes an unregistered one hangs
 * while its client saw success, so workers do this before they take work, and again and again: a
 * server may have lost its data.
 * @returns the names that had to be registered
 */
export async function ensureSearchAttributes(
  connection: NativeConnection,
  namespace: string,
): Promise<string[]> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = Object.values(SEARCH_ATTRIBUTES).filter((name) => !(name in customAttributes));
  if (missing.length === 0) return [];
  try {
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map((name) => [name, KEYWORD])),
    });
  } catch (error) {
    // Another worker was faster.
    const now = await connection.operatorService.listSearchAttributes({ namespace });
    if (missing.some((name) => !(name in now.customAttributes))) throw error;
  }
  return missing;
}
