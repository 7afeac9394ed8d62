// Registers our search attributes in Temporal.
import type { NativeConnection } from '@temporalio/worker';
import { SEARCH_ATTRIBUTES } from '../domain/temporal/task-queues';

/** temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD */
const KEYWORD = 2;

/**
 * Registers the search attributes that are missing. A run that writes an unregistered one hangs,
 * although its client saw success. So workers do this before they take work, and then regularly,
 * because a server may lose its data.
 * @returns the names that were missing
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
