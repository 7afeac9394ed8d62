// The URL of a database on a server whose URL is known.

/**
 * Returns the URL of another database on the same server. @param databaseUrl a `postgresql://` URL
 */
export function databaseUrlFor(databaseUrl: string, database: string): string {
  const url = new URL(databaseUrl);
  url.pathname = `/${encodeURIComponent(database)}`;
  return url.href;
}
