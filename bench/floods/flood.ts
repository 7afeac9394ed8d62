// Floods a server with requests, as a process of its own. Its argument is a FloodConfig as JSON.
//
// The load is an open loop: the requests have a rate, however slowly the replies come. A request
// that is due while every connection waits for its reply is counted and not sent.
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { FLOOD_PATHS, type Flood, type FloodTally } from './flood-control';

export interface FloodConfig {
  readonly port: number;
}

const TICK_MS = 5;
const HEAD_END = '\r\n\r\n';

const config = JSON.parse(process.argv[2] ?? '{}') as FloodConfig;
let tally = startTally();
let stop = (): void => undefined;

function startTally() {
  return { due: 0, sent: 0, unsent: 0, opened: 0, statuses: {} as Record<string, number> };
}

/** Counts the replies in what a connection receives. */
function createReader(onReply: (status: string) => void): (data: Buffer) => void {
  let head = '';
  let bodyBytes = 0;
  return (data) => {
    let at = 0;
    while (at < data.length) {
      const skipped = Math.min(bodyBytes, data.length - at);
      bodyBytes -= skipped;
      at += skipped;
      if (at >= data.length) return;
      const known = head.length;
      head += data.toString('latin1', at, Math.min(data.length, at + 2_048));
      const end = head.indexOf(HEAD_END);
      if (end < 0) return;
      at += end + HEAD_END.length - known;
      bodyBytes = Number(/^content-length: (\d+)/im.exec(head.slice(0, end))?.[1] ?? 0);
      const status = head.slice(9, 12);
      head = '';
      onReply(status);
    }
  };
}

/** One connection, which is opened anew when the server has closed it. */
function createConnection({ target, request, pipelined }: Flood) {
  const bytes = Buffer.from(request.repeat(pipelined), 'latin1');
  let socket: Socket | null = null;
  let left = 0;
  const open = (): Socket => {
    tally.opened += 1;
    const opened = connect(target, '127.0.0.1');
    opened.setNoDelay(true);
    opened.on(
      'data',
      createReader((status) => {
        tally.statuses[status] = (tally.statuses[status] ?? 0) + 1;
        left -= 1;
      }),
    );
    opened.on('error', () => undefined);
    opened.on('end', () => opened.end());
    opened.on('close', () => {
      if (socket !== opened) return;
      socket = null;
      left = 0;
    });
    return opened;
  };
  return {
    isFree: () => left <= 0,
    send() {
      socket ??= open();
      left = pipelined;
      socket.write(bytes);
    },
    close: () => socket?.destroy(),
  };
}

function begin(flood: Flood): () => void {
  const connections = Array.from({ length: flood.connections }, () => createConnection(flood));
  const startedMs = performance.now();
  let next = 0;
  tally = startTally();
  const sendOne = () => {
    tally.due += 1;
    for (let tried = 0; tried < connections.length; tried += 1) {
      const connection = connections[(next += 1) % connections.length];
      if (!connection?.isFree()) continue;
      connection.send();
      tally.sent += flood.pipelined;
      return;
    }
    tally.unsent += 1;
  };
  const timer = setInterval(() => {
    const due = ((performance.now() - startedMs) * flood.perSecond) / 1_000;
    while (tally.due < due) sendOne();
  }, TICK_MS);
  return () => {
    clearInterval(timer);
    for (const connection of connections) connection.close();
  };
}

createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (request.url === FLOOD_PATHS.begin) {
      stop = begin(JSON.parse(Buffer.concat(chunks).toString()) as Flood);
    }
    if (request.url === FLOOD_PATHS.end) stop();
    response.writeHead(200).end(JSON.stringify(tally satisfies FloodTally));
  });
}).listen(config.port, '127.0.0.1');
