// Stops the servers of the test run.
export default async function globalTeardown(): Promise<void> {
  await globalThis.oncepayTestStack?.stop();
}
