// Jest's asymmetric matchers with a type that the linter accepts.
/** Jest types its asymmetric matchers as `any`; these are the same as `unknown`. */
export const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);
export const containing = (part: object): unknown => expect.objectContaining(part);
export const anyText = (): unknown => expect.any(String);
