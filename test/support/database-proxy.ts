// Puts a TCP proxy between Oncepay and its database, so that a test can take the database away.
import { startTcpProxy, type TcpProxy } from './tcp-proxy';

/** For the option `through` of `startTestOncepay`; `proxy` is there once it was called. */
export function databaseProxy() {
  let started: TcpProxy | undefined;
  return {
    through: async (databaseUrl: string): Promise<string> => {
      const url = new URL(databaseUrl);
      started = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
      url.hostname = '127.0.0.1';
      url.port = String(started.port);
      return url.href;
    },
    get proxy(): TcpProxy {
      if (!started) throw new Error('Oncepay has not been started through the proxy');
      return started;
    },
    close: async () => started?.close(),
  };
}
