// Run as a program: the SDK downloads the Temporal CLI into the folder that its argument names.
import { TestWorkflowEnvironment } from '@temporalio/testing';

async function main(): Promise<void> {
  const downloadDir = process.argv[2];
  if (downloadDir === undefined)
    throw new Error('Give the folder for the download as the first argument.');
  const executable = { type: 'cached-download', downloadDir } as const;
  // The SDK downloads the CLI before it starts a server. The server itself isn't needed.
  const environment = await TestWorkflowEnvironment.createLocal({ server: { executable } });
  await environment.teardown();
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
