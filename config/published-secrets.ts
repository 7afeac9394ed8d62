// Secrets that stand in this repository: anybody can read them, so production refuses them.

/** Values of tests and examples that would pass every other check of some secret. */
export const PUBLISHED_SECRETS: readonly string[] = [
  'an-api-v3-key-of-thirty-two-byte',
  'sixteen-or-more-characters',
  'the-api-v3-key-that-was-before--',
  'whsec_c2VjcmV0c2VjcmV0c2VjcmV0',
];
