// The simulator's own page: the tables and the chat, and the acts of the person who looks at them.
import express, { type Request, type Response, type Router } from 'express';
import { z } from 'zod';
import type { Document, DocumentActs } from '../bitable/document';
import type { MessageView } from '../chat/messages';
import type { Press, PressReply, Toast } from '../chat/press';
import { ControlRefusal } from '../http/reply';
import type { Person } from '../options';
import { html, type Html } from './html';
import { renderChat } from './render-chat';
import { renderTables } from './render-tables';
import { SCRIPT } from './script';
import { STYLE } from './style';

const BODY_LIMIT = '256kb';
const BEIJING = '+08:00';
/** The page runs its own script and nothing else. */
const POLICY =
  "default-src 'none'; img-src data:; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
  "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

const by = z.string();
const editBody = z.object({
  table: z.string(),
  record: z.string(),
  column: z.string(),
  text: z.string(),
  by,
});
const addBody = z.object({ table: z.string(), by });
const deleteBody = z.object({ table: z.string(), record: z.string(), by });
const pressBody = z.object({
  message: z.string(),
  value: z.union([z.record(z.string(), z.unknown()), z.string()]),
  name: z.string(),
  formValue: z.record(z.string(), z.string()),
  by,
});

export interface PageDeps {
  readonly document: Document;
  readonly acts: DocumentActs;
  readonly messages: () => readonly MessageView[];
  readonly press: (messageId: string, press: Press, byOpenId: string) => Promise<PressReply>;
  readonly people: readonly Person[];
}

function shell(people: readonly Person[]): Html {
  const options = people.map(
    ({ openId, name }) => html`<option value="${openId}">${name}</option>`,
  );
  return html`<!doctype html>
    <html lang="zh-CN">
      <head>
        <meta charset="utf-8" />
        <title>飞书模拟器</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="/page/style.css" />
      </head>
      <body>
        <nav>
          <b>飞</b><span class="on"><i>▦</i>多维表格</span><span class="on"><i>✉</i>消息</span>
        </nav>
        <div class="bar">
          <h1>Oncepay 运营</h1>
          <small>飞书模拟器，只在本机运行</small>
          <label class="who"
            >当前身份
            <select id="who">
              ${options}
            </select></label
          >
        </div>
        <main id="tables"></main>
        <aside>
          <h2>支付告警群<small>${people.length} 人</small></h2>
          <div id="chat"></div>
        </aside>
        <div id="toast" role="status"></div>
        <dialog>
          <h3></h3>
          <p></p>
          <form method="dialog">
            <button class="button" value="">取消</button>
            <button class="button button-primary_filled" value="yes">确认</button>
          </form>
        </dialog>
        <script src="/page/script.js"></script>
      </body>
    </html>`;
}

/** The value that a person typed, in the shape that the column's type takes. */
function typed(type: number, text: string): unknown {
  if (text === '') return null;
  switch (type) {
    case 2:
      return Number.isFinite(Number(text)) ? Number(text) : text;
    case 4:
      return text.split(/[,，]\s*/);
    case 5: {
      const time = Date.parse(`${text.trim().replaceAll('/', '-').replace(' ', 'T')}${BEIJING}`);
      return Number.isNaN(time) ? text : time;
    }
    case 7:
      return text === 'true';
    default:
      return text;
  }
}

const DONE: Toast = { type: 'success', content: '已保存' };

/** Carries out an act and replies with its toast; a refusal is one too. */
function act<T>(schema: z.ZodType<T>, run: (input: T) => Promise<Toast | null>) {
  return async (req: Request, res: Response): Promise<void> => {
    const parsed = schema.safeParse(req.body);
    if (!parsed.success) {
      res.status(400).json({ toast: { type: 'error', content: z.prettifyError(parsed.error) } });
      return;
    }
    try {
      res.json({ toast: await run(parsed.data) });
    } catch (error) {
      if (!(error instanceof ControlRefusal)) throw error;
      res.status(409).json({ toast: { type: 'error', content: error.message } });
    }
  };
}

function addActs(router: Router, { document, acts, press }: PageDeps): void {
  router.post(
    '/edit',
    act(editBody, async (input) => {
      const columns = document.tables.get(input.table).columns;
      const type = columns.find(({ name }) => name === input.column)?.type ?? 1;
      const fields = { [input.column]: typed(type, input.text) };
      await acts.edit(input.table, input.record, fields, input.by);
      return DONE;
    }),
  );
  router.post(
    '/add-row',
    act(addBody, async (input) => {
      await acts.addRow(input.table, {}, input.by);
      return DONE;
    }),
  );
  router.post(
    '/delete-row',
    act(deleteBody, async (input) => {
      await acts.deleteRow(input.table, input.record, input.by);
      return DONE;
    }),
  );
  router.post(
    '/press',
    act(pressBody, async ({ message, value, name, formValue, by: openId }) => {
      const named = name === '' ? {} : { name };
      const reply = await press(message, { value, formValue, ...named }, openId);
      return reply.toast;
    }),
  );
}

/** `/` and `/page/…`. Acts take JSON only, so that no other site's form can send one. */
export function createPageRoutes(deps: PageDeps): Router {
  const router = express.Router();
  const page = express.Router();
  router.use((_req, res, next) => {
    res.set({ 'Content-Security-Policy': POLICY, 'Cache-Control': 'no-store' });
    next();
  });
  router.get('/', (_req, res) => {
    res.type('html').send(shell(deps.people).text);
  });
  page.get('/style.css', (_req, res) => {
    res.type('css').send(STYLE);
  });
  page.get('/script.js', (_req, res) => {
    res.type('text/javascript').send(SCRIPT);
  });
  page.get('/state', (_req, res) => {
    const tables = renderTables(deps.document).text;
    res.json({ tables, chat: renderChat(deps.messages()).text });
  });
  page.use(express.json({ type: 'application/json', limit: BODY_LIMIT }));
  addActs(page, deps);
  router.use('/page', page);
  return router;
}
