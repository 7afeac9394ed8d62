// Bundles the workflows for production, as a step of `npm run build`.
import { writeFile } from 'node:fs/promises';
import { bundleWorkflowCode } from '@temporalio/worker';
import { packageRoot, workflowBundlePath } from '../config/paths';
import { join } from 'node:path';

/** Writes the bundle; a worker from `dist/` only loads it. */
async function main(): Promise<void> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(packageRoot(), 'dist', 'workflows', 'index.js'),
    logger: silent,
  });
  await writeFile(workflowBundlePath(), code);
}

const ignore = () => undefined;
const silent = {
  log: ignore,
  trace: ignore,
  debug: ignore,
  info: ignore,
  warn: (message: string) => process.stderr.write(`${message}\n`),
  error: (message: string) => process.stderr.write(`${message}\n`),
};

void main();
