import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of package.json, from the sources as from `dist/`. */
export function packageRoot(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

export const migrationsDir = (): string => join(packageRoot(), 'prisma', 'migrations');

/** Made by `npm run build`. */
export const workflowBundlePath = (): string => join(packageRoot(), 'dist', 'workflow-bundle.js');
