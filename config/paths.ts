// Paths of the package that the processes read: its root, the migrations, the workflow bundle.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of package.json; the same from the sources and from `dist/`. */
export function packageRoot(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

/** The folder of the SQL migrations. */
export const migrationsDir = (): string => join(packageRoot(), 'prisma', 'migrations');

/** The workflow bundle that `npm run build` writes. */
export const workflowBundlePath = (): string => join(packageRoot(), 'dist', 'workflow-bundle.js');
