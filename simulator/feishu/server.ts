// Starts the Feishu simulator: wires all its parts and listens on one port.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import express, { type NextFunction, type Request, type Response } from 'express';
import { createDocument, createDocumentActs } from './bitable/document';
import { createRepeats, createWriteTurn } from './bitable/write-turns';
import { createMessages } from './chat/messages';
import { createPress } from './chat/press';
import type { FeishuSimulator } from './control/simulator';
import { viewOfRows, viewOfTable } from './control/views';
import { createEvents } from './events/events';
import { createEventPoster } from './events/post-event';
import { createFaults } from './http/faults';
import { createRateWindow } from './http/rate-window';
import { createRequestRecords } from './http/records';
import { refuse } from './http/reply';
import { DEFAULT_PEOPLE, settingsFrom, type FeishuSimulatorOptions } from './options';
import { createPageRoutes } from './page/page-routes';
import { createRoutes } from './routes';
import { createPeople } from './tenant/people';
import { createQuota } from './tenant/quota';
import { createRights } from './tenant/rights';
import { createTokens } from './tenant/tokens';
import { createClock } from './time/clock';

const DEFAULT_HOST = '127.0.0.1';
const ROW_LIMIT = 20_000;
const WRITE_MS = 10;
const CALLBACK_TIMEOUT_MS = 3_000;
const RETRY_MS = [15_000, 5 * 60_000, 60 * 60_000, 6 * 60 * 60_000];

async function listen(server: Server, port: number, host: string): Promise<number> {
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

/** Wires everything that the simulator holds. */
function createParts(options: FeishuSimulatorOptions) {
  const realNow = options.now ?? Date.now;
  const settings = settingsFrom(options);
  const clock = createClock(realNow);
  const { now } = clock;
  const people = createPeople(options.people ?? DEFAULT_PEOPLE, settings);
  const timeoutMs = options.callbackTimeoutMs ?? CALLBACK_TIMEOUT_MS;
  const poster = createEventPoster({ encryptKey: settings.encryptKey, timeoutMs, realNow });
  const retryMs = options.retryMs ?? RETRY_MS;
  const callbackUrl = options.callbackUrl ?? null;
  const events = createEvents({ settings, clock, poster, retryMs, callbackUrl });
  const rowLimit = options.rowLimit ?? ROW_LIMIT;
  const parts = {
    settings,
    clock,
    people,
    poster,
    events,
    realNow,
    tokens: createTokens(settings, now),
    quota: createQuota(options.monthlyCalls ?? null, now),
    rights: createRights(),
    faults: createFaults(),
    records: createRequestRecords(),
    rates: createRateWindow(now),
    document: createDocument({ settings, people, clock, events, rowLimit }),
    repeats: createRepeats(),
    turn: createWriteTurn(clock, options.writeMs ?? WRITE_MS),
    messages: createMessages(now),
  };
  const acts = createDocumentActs(parts.document, now);
  return { ...parts, acts, press: createPress(parts), routes: createRoutes(parts) };
}

type Parts = ReturnType<typeof createParts>;

function onBodyError(_error: unknown, _req: Request, res: Response, next: NextFunction): void {
  if (res.headersSent || res.destroyed) {
    next();
    return;
  }
  const { status, body } = refuse(9499);
  res.status(status).json(body);
}

/** Forgets what the tenant holds; its settings stay. */
function reset(parts: Parts): void {
  const { document, messages, events, faults, records, tokens, quota, rights, rates } = parts;
  for (const kept of [document, messages, events, faults, records]) kept.clear();
  for (const kept of [tokens, quota, rights, rates, parts.repeats]) kept.clear();
}

function createSimulator(parts: Parts, server: Server, url: string, port: number): FeishuSimulator {
  const { document, events, faults, records, clock, settings } = parts;
  return {
    url,
    port,
    botUrl: `${url}/open-apis/bot/v2/hook/${settings.botId}`,
    settings,
    people: parts.people.all,
    setCallbackUrl: events.setUrl,
    tables: () => document.tables.all().map(viewOfTable),
    rows: (tableId) => viewOfRows(document, tableId),
    cards: parts.messages.all,
    ...parts.acts,
    press: parts.press,
    verifyUrl: events.verifyUrl,
    setFault: faults.add,
    clearFaults: faults.clear,
    expireTokens: (code = 99991663) => parts.tokens.expire(code),
    setQuota: parts.quota.set,
    callsThisMonth: parts.quota.callsThisMonth,
    setRowLimit: (rows) => {
      document.rowLimit = rows;
    },
    setRights: parts.rights.change,
    setLag: (lag) => {
      document.lag = lag;
    },
    setRepeatedPageToken: (isOn) => {
      document.repeatsPageToken = isOn;
    },
    setEvents: events.setBehaviour,
    resendEvent: events.resend,
    requests: records.of,
    deliveries: events.deliveries,
    pendingEvents: events.pending,
    idle: events.idle,
    now: clock.now,
    advanceClock: clock.advance,
    reset: () => reset(parts),
    close: async () => {
      clock.stop();
      await Promise.all([closeServer(server), parts.poster.close()]);
    },
  };
}

/** Starts a Feishu on this machine. @throws the system's error for a taken port */
export async function startFeishuSimulator(
  options: FeishuSimulatorOptions = {},
): Promise<FeishuSimulator> {
  const parts = createParts(options);
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use('/open-apis', parts.routes);
  app.use('/open-apis', onBodyError);
  const { document, acts, messages, press, people } = parts;
  const page = { document, acts, messages: messages.all, press, people: people.all };
  app.use(createPageRoutes(page));
  const server = createServer(app);
  const host = options.host ?? DEFAULT_HOST;
  const port = await listen(server, options.port ?? 0, host);
  return createSimulator(parts, server, `http://${host}:${port}`, port);
}
