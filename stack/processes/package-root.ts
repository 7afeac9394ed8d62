import { accessSync, constants, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * The folder of this package's package.json, from the sources and from dist/ alike.
 * @throws when no folder above this file has one.
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

/** Whether every user of this machine can enter the folder and all folders above it. */
export function isOpenToAll(folder: string): boolean {
  const ENTER_AND_READ = 0o005;
  for (let path = folder; ; path = dirname(path)) {
    const needed = path === folder ? ENTER_AND_READ : 0o001;
    if ((statSync(path).mode & needed) !== needed) return false;
    if (dirname(path) === path) return true;
  }
}
