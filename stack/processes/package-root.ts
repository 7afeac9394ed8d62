// Finds the package's folder, and checks whether other users can read a folder.
import { accessSync, constants, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Returns the folder of this package's package.json. It works from the sources and from dist/.
 * @throws when no folder above this file has a package.json
 */
export function packageRoot(): string {
  for (let folder = __dirname; ; folder = dirname(folder)) {
    try {
      accessSync(join(folder, 'package.json'), constants.R_OK);
      return folder;
    } catch {
      if (dirname(folder) === folder)
        throw new Error(`Found no package.json in a folder above ${__dirname}.`);
    }
  }
}

/** True if each user of this machine can enter the folder and all folders above it. */
export function isOpenToAll(folder: string): boolean {
  const ENTER_AND_READ = 0o005;
  for (let path = folder; ; path = dirname(path)) {
    const needed = path === folder ? ENTER_AND_READ : 0o001;
    if ((statSync(path).mode & needed) !== needed) return false;
    if (dirname(path) === path) return true;
  }
}
