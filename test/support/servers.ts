// Says where the servers of the test run are, as global-setup published it.

/**
 * A value that global-setup published.
 * @throws in the unit tier and when jest runs without `npm test`'s configuration
 */
export function published(name: string): string {
  const value = process.env[name];
  if (value !== undefined) return value;
  throw new Error(
    `This test needs a server, and none was started (${name} is not set). ` +
      'Run it with `npm test`. If it failed in `npm run test:unit`, move it to a room that ' +
      'jest.unit.config.cjs does not list, or name it there under ON_SERVERS.',
  );
}
