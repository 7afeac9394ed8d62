// A TCP proxy that takes a server away without stopping it.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Stands between Oncepay and a server, to take the server away without stopping it. */
export interface TcpProxy {
  readonly port: number;
  /** Cuts every connection and refuses new ones. */
  refuse(): Promise<void>;
  /** Keeps every connection and passes no byte on, as a server that hangs. */
  hang(): void;
  /** Lets everything through again. */
  pass(): Promise<void>;
  close(): Promise<void>;
}

export async function startTcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let hanging = false;
  let server: Server;

  function accept(near: Socket): void {
    const far = connect(target.port, target.host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (chunk) => to.write(chunk));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      if (hanging) from.pause();
    }
  }

  async function listen(port: number): Promise<Server> {
    const started = createServer(accept);
    started.listen(port, '127.0.0.1');
    await once(started, 'listening');
    return started;
  }

  async function stop(): Promise<void> {
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  server = await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    refuse: stop,
    hang() {
      hanging = true;
      for (const socket of sockets) socket.pause();
    },
    async pass() {
      hanging = false;
      if (server.listening) for (const socket of sockets) socket.resume();
      else server = await listen(port);
    },
    close: async () => {
      if (server.listening) await stop();
    },
  };
}
