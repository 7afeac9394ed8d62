// Serves one request of a connection at a time: pipelined ones wait in the socket.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Gate } from '../http/server';

/**
 * Bytes that Node's parser gets at once. A chunk of 64 KiB holds thousands of small requests, which
 * the parser would all make into objects before the first one is answered.
 */
const SLICE_BYTES = 1_024;

interface Connection {
  /** The request that is being served. */
  current: IncomingMessage | null;
  /** Requests of the same slice. */
  readonly waiting: (() => void)[];
  /** True from a reply until the next turn, so that a turn serves one request of a connection. */
  pausing: boolean;
}

/**
 * Makes both halves. Node itself serves pipelined requests all at once: it parses what has arrived
 * and calls the listener for each. Here the parser gets the bytes of a request when the one before
 * it has its reply; the rest goes back into the socket, which is paused, so that the sender waits.
 */
export function createOneAtATime(): Gate {
  const connections = new WeakMap<Socket, Connection>();

  return {
    wrap: (listener) => (request, response) => {
      const { socket } = request;
      const connection = connections.get(socket);
      if (!connection) {
        listener(request, response);
        return;
      }
      const start = () => {
        beginService(socket, connection, request, response);
        listener(request, response);
      };
      if (connection.current || connection.pausing) connection.waiting.push(start);
      else start();
    },

    takeOver(server) {
      server.on('connection', (socket: Socket) => {
        const connection: Connection = { current: null, waiting: [], pausing: false };
        connections.set(socket, connection);
        sliceData(socket, connection);
      });
    },
  };
}

/** Notes the request, and goes on with the next one in the turn after its reply. */
function beginService(
  socket: Socket,
  connection: Connection,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  connection.current = request;
  response.once('close', () => {
    connection.current = null;
    connection.pausing = true;
    setImmediate(() => {
      connection.pausing = false;
      // After its last reply a connection ends, whatever else it has sent.
      if (!socket.writable) return;
      const next = connection.waiting.shift();
      if (next) next();
      else resume(socket);
    });
  });
}

/**
 * Hands the data of a socket to Node's parser in slices, while no complete request is served.
 * Node's own listener for `data` does that; on a Node that reads otherwise the tests of the
 * admission fail.
 * The socket is also paused while the reader of a body, or of a reply, is behind.
 */
function sliceData(socket: Socket, connection: Connection): void {
  const [parse] = socket.listeners('data') as ((data: Buffer) => void)[];
  if (!parse) return;
  socket.removeListener('data', parse);
  socket.on('data', (data: Buffer) => {
    let rest = data;
    while (rest.length > 0 && !isServed(connection) && !socket.isPaused() && socket.writable) {
      parse(rest.subarray(0, SLICE_BYTES));
      rest = rest.subarray(SLICE_BYTES);
    }
    // A connection that ends gets no more replies, so the rest is dropped.
    if (!socket.writable || (!isServed(connection) && !socket.isPaused())) return;
    socket.pause();
    if (rest.length > 0) socket.unshift(rest);
  });
}

/** True while a request has arrived as a whole and has no reply. */
function isServed({ current, waiting, pausing }: Connection): boolean {
  return pausing || waiting.length > 0 || current?.complete === true;
}

/** Goes on once the sender has read the reply; Node's parser takes nothing before that. */
function resume(socket: Socket): void {
  if (socket.writableNeedDrain) socket.once('drain', () => socket.resume());
  else socket.resume();
}
