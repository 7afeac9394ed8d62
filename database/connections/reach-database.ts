// Finds out whether the database can be reached, past a pool that has no free connection.
import { openConnection } from './open-connections';

const TIMEOUT_MS = 2_000;

/**
 * True when the database accepts a connection of its own within 2 s. A pool of which all
 * connections are in use fails like one whose database is gone; this tells the two apart.
 */
export async function canReachDatabase(url: string): Promise<boolean> {
  try {
    const options = { url, applicationName: 'oncepay reach', connectTimeoutMs: TIMEOUT_MS };
    const connection = await openConnection(options);
    await connection.end();
    return true;
  } catch {
    return false;
  }
}
