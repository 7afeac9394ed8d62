// Names the outcomes of a request that was sent to WeChat.
/** `unknown`: no definite response came, so WeChat may have carried the request out. */
export type AttemptOutcome = 'accepted' | 'refused' | 'unknown';
