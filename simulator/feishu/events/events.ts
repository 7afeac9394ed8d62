// Delivers events at least once: builds them, sends them again until a 200, keeps the tries.
import { randomBytes } from 'node:crypto';
import { ControlRefusal } from '../http/reply';
import type { FeishuSettings } from '../options';
import type { Clock } from '../time/clock';
import type { Envelope, EventDelivery, EventPoster } from './post-event';
import { sealBody, type Forgery } from './seal';

/** The behaviour of the events that follow. */
export interface EventBehaviour {
  /** How many copies are sent at once, with one event_id. Default 1. */
  readonly duplicates?: number | undefined;
  /** No event is sent. */
  readonly silent?: boolean | undefined;
  readonly forged?: Forgery | null | undefined;
}

export interface Events {
  /** Sends an event until it got a 200. @returns the first try; null when nothing is sent */
  publish: (eventType: string, event: object) => Promise<EventDelivery | null>;
  /** Sends a card's callback once: Feishu never repeats one. Null: the app has no address. */
  callBack: (eventType: string, event: object) => Promise<EventDelivery | null>;
  /** Checks the address as the console does when it is saved. */
  verifyUrl: () => Promise<EventDelivery>;
  /** The same event again, signed anew. */
  resend: (eventId: string) => Promise<EventDelivery>;
  setUrl: (url: string | null) => void;
  setBehaviour: (behaviour: EventBehaviour) => void;
  deliveries: () => EventDelivery[];
  /** How many events wait for their next try. */
  pending: () => number;
  /** Resolves when no try is under way. */
  idle: () => Promise<void>;
  clear: () => void;
}

export interface EventsDeps {
  readonly settings: FeishuSettings;
  readonly clock: Clock;
  readonly poster: EventPoster;
  readonly retryMs: readonly number[];
  readonly callbackUrl: string | null;
}

/** How many events and how many tries are kept. */
const KEPT = 5_000;

/** An event with its header; a forged one has another verification token. */
function sealEvent(
  { settings, clock }: EventsDeps,
  eventType: string,
  event: object,
  isForged: boolean,
): Envelope {
  const { appId, tenantKey, verificationToken: token, encryptKey } = settings;
  const eventId = randomBytes(16).toString('hex');
  const header = {
    event_id: eventId,
    event_type: eventType,
    create_time: String(clock.now()),
    token: isForged ? `not-${token}` : token,
    app_id: appId,
    tenant_key: tenantKey,
  };
  const body = sealBody(encryptKey, { schema: '2.0', header, event });
  return { eventId, eventType, body, isSigned: true };
}

/** Feishu's check of an address; it is encrypted, but not signed. */
function sealChallenge({ settings }: EventsDeps): Envelope {
  const challenge = randomBytes(16).toString('hex');
  const type = 'url_verification';
  const content = { challenge, token: settings.verificationToken, type };
  const body = sealBody(settings.encryptKey, content);
  return { eventId: challenge, eventType: type, body, isSigned: false };
}

/** Makes the tries, keeps how they ended, and knows when none is under way. */
function createTries(poster: EventPoster) {
  let ended: EventDelivery[] = [];
  let underWay = 0;
  let whenIdle: (() => void)[] = [];
  return {
    /** Tries once. `onEnd` runs before anybody learns that no try is under way. */
    run: async (
      url: string,
      envelope: Envelope,
      as: { readonly number: number; readonly forgery: Forgery | null },
      onEnd: (delivery: EventDelivery) => void = () => undefined,
    ): Promise<EventDelivery> => {
      underWay++;
      const delivery = await poster.post(url, envelope, as.number, as.forgery);
      ended.push(delivery);
      if (ended.length > KEPT) ended.shift();
      onEnd(delivery);
      underWay--;
      if (underWay === 0) {
        for (const done of whenIdle) done();
        whenIdle = [];
      }
      return delivery;
    },
    all: () => [...ended],
    idle: (): Promise<void> =>
      underWay === 0 ? Promise.resolve() : new Promise((resolve) => whenIdle.push(resolve)),
    clear: () => {
      ended = [];
    },
  };
}

/** Keeps the last events that were sent, so that each can be sent again. */
function createSent() {
  const kept = new Map<string, Envelope>();
  return {
    keep: (envelope: Envelope): Envelope => {
      kept.set(envelope.eventId, envelope);
      const oldest = kept.keys().next().value;
      if (kept.size > KEPT && oldest !== undefined) kept.delete(oldest);
      return envelope;
    },
    get: (eventId: string): Envelope => {
      const envelope = kept.get(eventId);
      if (envelope === undefined) throw new ControlRefusal(`no event ${eventId} was sent`);
      return envelope;
    },
    clear: () => kept.clear(),
  };
}

export function createEvents(deps: EventsDeps): Events {
  const { clock, retryMs } = deps;
  const tries = createTries(deps.poster);
  const sent = createSent();
  const waiting = new Map<string, () => void>();
  let url = deps.callbackUrl;
  let behaviour: EventBehaviour = {};

  const forgery = (): Forgery | null => behaviour.forged ?? null;
  const attempt = (to: string, envelope: Envelope): Promise<EventDelivery> =>
    tries.run(to, envelope, { number: 1, forgery: forgery() });
  const deliver = (to: string, envelope: Envelope, number: number): Promise<EventDelivery> =>
    tries.run(to, envelope, { number, forgery: forgery() }, ({ status }) => {
      const waitMs = retryMs[number - 1];
      if (status === 200 || waitMs === undefined) return;
      const cancel = clock.after(waitMs, () => {
        waiting.delete(envelope.eventId);
        if (url !== null) void deliver(url, envelope, number + 1);
      });
      waiting.set(envelope.eventId, cancel);
    });
  const seal = (eventType: string, event: object): Envelope =>
    sent.keep(sealEvent(deps, eventType, event, behaviour.forged === 'token'));
  const needUrl = (): string => {
    if (url === null) throw new ControlRefusal('the app has no address for events');
    return url;
  };
  return {
    publish: async (eventType, event) => {
      if (url === null || behaviour.silent === true) return null;
      const to = url;
      const envelope = seal(eventType, event);
      const copies = Math.max(1, behaviour.duplicates ?? 1) - 1;
      const others = Array.from({ length: copies }, () => attempt(to, envelope));
      const [first] = await Promise.all([deliver(to, envelope, 1), ...others]);
      return first;
    },
    callBack: (eventType, event) =>
      url === null ? Promise.resolve(null) : attempt(url, seal(eventType, event)),
    verifyUrl: () => attempt(needUrl(), sealChallenge(deps)),
    resend: (eventId) => attempt(needUrl(), sent.get(eventId)),
    setUrl: (next) => {
      url = next;
    },
    setBehaviour: (next) => {
      behaviour = next;
    },
    deliveries: tries.all,
    pending: () => waiting.size,
    idle: tries.idle,
    clear: () => {
      for (const cancel of waiting.values()) cancel();
      waiting.clear();
      sent.clear();
      tries.clear();
      behaviour = {};
    },
  };
}
