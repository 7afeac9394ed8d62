// Posts one event to the app's address, once, and says how that ended.
import { Agent, request } from 'undici';
import { signatureHeaders, type Forgery } from './seal';

/** The end of a try to deliver an event. */
export interface EventDelivery {
  readonly eventId: string;
  /** `drive.file.bitable_record_changed_v1`, `card.action.trigger` or `url_verification`. */
  readonly eventType: string;
  /** 1 for the first try. */
  readonly attempt: number;
  /** Null: no reply in time, or no connection. */
  readonly status: number | null;
  /** The body of the reply. */
  readonly body: string;
  readonly durationMs: number;
}

export interface Envelope {
  readonly eventId: string;
  readonly eventType: string;
  readonly body: string;
  /** `url_verification` is not signed. */
  readonly isSigned: boolean;
}

export interface EventPoster {
  /** Signs anew and posts once. Never throws. */
  post: (
    url: string,
    envelope: Envelope,
    attempt: number,
    forgery: Forgery | null,
  ) => Promise<EventDelivery>;
  close: () => Promise<void>;
}

const CONNECTIONS = 16;
const STALE_MS = 60 * 60_000;

function headersFor(
  { body, isSigned }: Envelope,
  encryptKey: string | null,
  nowMs: number,
  forgery: Forgery | null,
): Record<string, string> {
  if (!isSigned) return {};
  const headers = signatureHeaders(
    encryptKey,
    forgery === 'signature' ? `${body} ` : body,
    forgery === 'stale' ? nowMs - STALE_MS : nowMs,
  );
  return headers;
}

/** @param deps.realNow signatures keep to the time of the machine, or nobody would accept them. */
export function createEventPoster(deps: {
  readonly encryptKey: string | null;
  readonly timeoutMs: number;
  readonly realNow: () => number;
}): EventPoster {
  const agent = new Agent({ connections: CONNECTIONS, pipelining: 1 });
  return {
    post: async (url, envelope, attempt, forgery) => {
      const startedAt = performance.now();
      const { eventId, eventType, body } = envelope;
      const ended = (status: number | null, replied: string): EventDelivery => {
        const durationMs = Math.round(performance.now() - startedAt);
        return { eventId, eventType, attempt, status, body: replied, durationMs };
      };
      try {
        const response = await request(url, {
          method: 'POST',
          dispatcher: agent,
          signal: AbortSignal.timeout(deps.timeoutMs),
          headers: {
            'Content-Type': 'application/json',
            ...headersFor(envelope, deps.encryptKey, deps.realNow(), forgery),
          },
          body,
        });
        return ended(response.statusCode, await response.body.text());
      } catch (error) {
        return ended(null, error instanceof Error ? error.message : 'failed');
      }
    },
    close: () => agent.destroy(),
  };
}
