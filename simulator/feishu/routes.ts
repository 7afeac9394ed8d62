// Serves Feishu's own API, `/open-apis/…`.
import express, { type Request, type Response, type Router } from 'express';
import { createRowEndpoints } from './bitable/row-endpoints';
import type { Document } from './bitable/document';
import { search } from './bitable/search';
import { createTableEndpoints } from './bitable/table-endpoints';
import type { Repeats, WriteTurn } from './bitable/write-turns';
import { botHook } from './chat/bot-hook';
import { createMessageEndpoints } from './chat/message-endpoints';
import type { Messages } from './chat/messages';
import { handler, LOG_ID, type Call, type Endpoint, type EndpointDeps } from './http/endpoint';
import { createLogId } from './http/identifiers';
import type { RateLimit } from './http/rate-window';
import type { Operation } from './http/records';
import { refuse, succeed, type Reply } from './http/reply';
import { APP_NAME, type FeishuSettings } from './options';
import type { People } from './tenant/people';
import type { Quota } from './tenant/quota';
import type { RightsStore } from './tenant/rights';
import type { Tokens } from './tenant/tokens';

export interface RoutesDeps extends EndpointDeps {
  readonly settings: FeishuSettings;
  readonly tokens: Tokens;
  readonly rights: RightsStore;
  readonly quota: Quota;
  readonly people: People;
  readonly document: Document;
  readonly repeats: Repeats;
  readonly turn: WriteTurn;
  readonly messages: Messages;
  readonly realNow: () => number;
}

const BODY_LIMIT = '20mb';
const TABLE_SCOPE = 'bitable:app';
const MESSAGE_SCOPE = 'im:message';
const DRIVE_SCOPE = 'drive:drive';

/** Feishu's limits: so many calls of an API a second, and of messages a minute. */
const perSecond = (calls: number): readonly RateLimit[] => [{ calls, windowMs: 1_000 }];
const MESSAGE_LIMITS = [...perSecond(50), { calls: 1_000, windowMs: 60_000 }];

type Work = Endpoint['work'];

/** Makes the endpoints, each behind its gate. */
function createEndpoints(deps: RoutesDeps) {
  const { settings, tokens, rights, quota } = deps;
  /** Calls count once their token is good; those for a token or a person don't. */
  const gate =
    (scope: string | null, isCounted: boolean) =>
    ({ authorization }: Call): Reply | null =>
      tokens.check(authorization) ??
      (scope === null ? null : rights.checkScope(scope)) ??
      (isCounted ? quota.count() : null);
  const needsDocument = (scope: string, param: string, missing: number) => {
    const passed = gate(scope, true);
    return (call: Call): Reply | null => {
      const refusal = passed(call);
      if (refusal !== null) return refusal;
      if (call.params[param] !== settings.appToken) return refuse(missing);
      return rights.current().documentAdded ? null : refuse(91403);
    };
  };
  const inTable = needsDocument(TABLE_SCOPE, 'app', 1254040);
  const inDrive = needsDocument(DRIVE_SCOPE, 'file', 1069604);
  const add = (gated: Endpoint['gate']) => (operation: Operation, calls: number, work: Work) =>
    handler(deps, { operation, gate: gated, limits: perSecond(calls), work });
  const message = (operation: Operation, work: Work) =>
    handler(deps, { operation, gate: gate(MESSAGE_SCOPE, true), limits: MESSAGE_LIMITS, work });
  return { table: add(inTable), drive: add(inDrive), message, free: add(gate(null, false)) };
}

function addTables(router: Router, deps: RoutesDeps): void {
  const { document, rights, clock } = deps;
  const { table, drive } = createEndpoints(deps);
  const rows = createRowEndpoints(deps);
  const tables = createTableEndpoints({ document, rights, now: clock.now });
  const app = '/bitable/v1/apps/:app/tables';
  const one = `${app}/:table`;
  const records = `${one}/records`;
  const find = (call: Call): Reply => search({ document, rights, now: clock.now }, call);
  router.post(`${records}/batch_create`, table('batch_create', 50, rows.create));
  router.post(`${records}/batch_update`, table('batch_update', 50, rows.update));
  router.post(`${records}/batch_delete`, table('batch_delete', 50, rows.remove));
  router.post(`${records}/search`, table('search', 20, find));
  router.get(`${one}/fields`, table('fields', 20, tables.listColumns));
  router.post(`${one}/fields`, table('field_create', 10, tables.addColumn));
  router.get(app, table('tables', 20, tables.listTables));
  router.post(app, table('table_create', 10, tables.createTable));
  const file = '/drive/v1/files/:file';
  router.post(`${file}/subscribe`, drive('subscribe', 50, tables.subscribe));
  router.get(`${file}/get_subscribe`, drive('subscription', 50, tables.subscription));
  router.delete(`${file}/delete_subscribe`, drive('unsubscribe', 50, tables.unsubscribe));
}

function findUser({ people }: RoutesDeps, { params }: Call): Reply {
  const found = people.find(params['user'] ?? '');
  if (found === null) return refuse(99992361);
  const { open_id: openId, union_id: unionId } = people.operatorId(found.id);
  const user = { open_id: openId, union_id: unionId, name: found.name, en_name: found.en_name };
  return succeed({ user });
}

function addTheRest(router: Router, deps: RoutesDeps): void {
  const { settings, tokens, messages, rates, clock, realNow } = deps;
  const { message, free } = createEndpoints(deps);
  const { send, update } = createMessageEndpoints({ settings, messages, rates, now: clock.now });
  const open: Pick<Endpoint, 'gate' | 'limits'> = { gate: () => null, limits: [] };
  const request: Work = ({ body }) => tokens.request(body);
  const token: Endpoint = { operation: 'token', ...open, work: request, isSecret: true };
  router.post('/auth/v3/tenant_access_token/internal', handler(deps, token));
  router.post('/im/v1/messages', message('message_send', send));
  router.patch('/im/v1/messages/:message', message('message_update', update));
  const hook: Work = (call) => botHook({ settings, messages, rates, realNow }, call);
  router.post('/bot/v2/hook/:hook', handler(deps, { operation: 'bot_hook', ...open, work: hook }));
  const bot = { activate_status: 2, app_name: APP_NAME, open_id: settings.appOpenId };
  const info: Reply = { status: 200, code: 0, body: { code: 0, msg: 'ok', bot } };
  router.get(
    '/bot/v3/info',
    free('bot_info', 50, () => info),
  );
  router.get(
    '/contact/v3/users/:user',
    free('user', 50, (call) => findUser(deps, call)),
  );
}

/** Feishu's API on the raw bytes of the requests; a wrong path or method is a plain 404. */
export function createRoutes(deps: RoutesDeps): Router {
  const router = express.Router();
  router.use((_req, res, next) => {
    res.set(LOG_ID, createLogId(deps.clock.now()));
    next();
  });
  router.use(express.raw({ type: () => true, limit: BODY_LIMIT }));
  addTables(router, deps);
  addTheRest(router, deps);
  router.use((req: Request, res: Response) => {
    const { method, originalUrl: path } = req;
    const atMs = deps.clock.now();
    const reply = { status: 404, code: null, logId: res.get(LOG_ID) ?? '', fault: null };
    deps.records.add({
      atMs,
      operation: 'unknown',
      method,
      path,
      tableId: null,
      body: null,
      ...reply,
    });
    res.status(404).type('text/plain').end('404 page not found');
  });
  return router;
}
