/** Of the owner's environment, children see only what a program needs to run at all. */
const PASSED_ON = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'LANG', 'TZ', 'SYSTEMROOT'] as const;

/**
 * The environment of a child: the names above and `own`, nothing else, so that a variable somebody
 * exported can't hide that a start names too few.
 */
export function systemEnvironment(own: Readonly<Record<string, string>>): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return { ...environment, ...own };
}

/** The owner's whole environment, for tools that read proxies and mirrors from it. */
export function wholeEnvironment(): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

/** Whether this process runs as a script of package.json, below npm and a shell of npm's. */
export function isNpmScript(): boolean {
  return process.env['npm_lifecycle_event'] !== undefined;
}
