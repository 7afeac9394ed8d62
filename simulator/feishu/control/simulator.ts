// The simulator's public methods: the things that people, the tenant's admin and Feishu itself do.
import type { DocumentActs, Lag } from '../bitable/document';
import type { MessageView } from '../chat/messages';
import type { Press, PressReply } from '../chat/press';
import type { EventBehaviour } from '../events/events';
import type { EventDelivery } from '../events/post-event';
import type { Fault } from '../http/faults';
import type { Operation, RequestRecord } from '../http/records';
import type { FeishuSettings, Person } from '../options';
import type { RightsChange } from '../tenant/rights';

export interface FieldView {
  readonly fieldId: string;
  readonly name: string;
  readonly type: number;
  /** The names of a select's options. */
  readonly options: readonly string[];
}

export interface TableView {
  readonly tableId: string;
  readonly name: string;
  readonly fields: readonly FieldView[];
  /** How many it has. */
  readonly rows: number;
}

export interface RowView {
  readonly recordId: string;
  /** By column name, as a search reads them; empty ones are absent. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The open_id of a person, or the app's own. */
  readonly createdBy: string;
  readonly lastModifiedBy: string;
  readonly lastModifiedMs: number;
}

/** The code with which old tokens are refused. */
export type TokenCode = 99991661 | 99991663 | 99991664 | 99991671;

/**
 * A running Feishu. An act of a person resolves when its event was tried once; null: the app did
 * not subscribe, or has no address.
 */
export interface FeishuSimulator extends DocumentActs {
  /** `http://127.0.0.1:<port>`: Oncepay's `FEISHU_BASE_URL`; its page shows tables and chat. */
  readonly url: string;
  readonly port: number;
  /** Oncepay's `FEISHU_BOT_WEBHOOK`. */
  readonly botUrl: string;
  readonly settings: FeishuSettings;
  readonly people: readonly Person[];
  readonly setCallbackUrl: (url: string | null) => void;

  readonly tables: () => TableView[];
  /** The oldest first. @throws ControlRefusal when there is no such table */
  readonly rows: (tableId: string) => RowView[];
  /** The chat's messages, the oldest first. */
  readonly cards: () => MessageView[];
  /** @throws ControlRefusal for a message, button or person that isn't there, or a wrong input. */
  readonly press: (messageId: string, press: Press, byOpenId: string) => Promise<PressReply>;
  /** `url_verification`, as saving the address in the console does. */
  readonly verifyUrl: () => Promise<EventDelivery>;

  readonly setFault: (fault: Fault) => void;
  readonly clearFaults: () => void;
  /** Refuses all tokens given so far. Default 99991663. */
  readonly expireTokens: (code?: TokenCode) => void;
  /** Null: no quota. */
  readonly setQuota: (monthlyCalls: number | null) => void;
  readonly callsThisMonth: () => number;
  readonly setRowLimit: (rows: number) => void;
  readonly setRights: (rights: RightsChange) => void;
  readonly setLag: (lag: Lag) => void;
  /** The last page of a search says that there is more and repeats its token. */
  readonly setRepeatedPageToken: (isOn: boolean) => void;
  readonly setEvents: (behaviour: EventBehaviour) => void;
  /** The same event again, signed anew. @throws ControlRefusal for an unknown one */
  readonly resendEvent: (eventId: string) => Promise<EventDelivery>;

  /** The calls of one operation, or all, the oldest first. */
  readonly requests: (operation?: Operation) => RequestRecord[];
  readonly deliveries: () => EventDelivery[];
  /** How many events wait for their next try. */
  readonly pendingEvents: () => number;
  /** Resolves when no event is on its way. */
  readonly idle: () => Promise<void>;
  /** Feishu's time, in ms since 1970. */
  readonly now: () => number;
  /** Moves tokens, quota, repeats of events, uuids and lags forward. Signatures keep real time. */
  readonly advanceClock: (ms: number) => void;
  /** Forgets tables, chat, faults and records; settings, tokens' time and address stay. */
  readonly reset: () => void;
  readonly close: () => Promise<void>;
}
