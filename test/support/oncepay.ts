// A whole Oncepay for one test file: offers start-oncepay.ts, loaded outside the sandbox.
import type * as outside from './start-oncepay';

export type { OrderView, TestOncepay, TestOptions } from './start-oncepay';

declare global {
  /** Set by the test environment (environment.ts). */
  var oncepayOutside: typeof outside | undefined;
}

function loaded(): typeof outside {
  if (oncepayOutside) return oncepayOutside;
  throw new Error(
    'This test starts Oncepay, which needs servers. Run it with `npm test`. If it failed in ' +
      '`npm run test:unit`, move it to a room that jest.unit.config.cjs does not list.',
  );
}

export const { startTestOncepay, orderBody, someUser, countEffects } = loaded();
