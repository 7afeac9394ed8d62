export type AttemptOutcome = 'accepted' | 'refused' | 'unknown';
