// The environment variables that child processes get.
/**
 * The only variables of the owner's environment that each child gets: a program needs them to run.
 */
const PASSED_ON = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'LANG', 'TZ', 'SYSTEMROOT'] as const;

/**
 * Returns the environment of a child: the variables above and `own`, nothing else. So a variable
 * that somebody exported can't hide that the configuration lacks one.
 */
export function systemEnvironment(own: Readonly<Record<string, string>>): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return { ...environment, ...own };
}

/** Returns the owner's whole environment, for tools that read proxies and mirrors from it. */
export function wholeEnvironment(): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

/** True if npm runs this process as a script of package.json, through a shell. */
export function isNpmScript(): boolean {
  return process.env['npm_lifecycle_event'] !== undefined;
}
