// Run as a program: starts a stack, prints its parts, and waits to be killed.
const { freePort } = require('../../../dist/stack/processes/free-port.js');
const { startStack } = require('../../../dist/stack/stack.js');

async function main() {
  const stack = await startStack({ durable: false, temporal: { own: true } });
  const script = require.resolve('./idle-process.cjs');
  const port = await freePort();
  const env = { IGNORE_SIGTERM: process.env.IGNORE_SIGTERM ?? '', READY_PORT: String(port) };
  // Without `ready` a program that can't even start would pass for one that was ended.
  const idle = await stack.spawn('idle', {
    script,
    env,
    ready: { url: `http://127.0.0.1:${port}/` },
  });
  console.log(
    JSON.stringify({ dataDir: stack.dataDir, idle: idle.pid, databaseUrl: stack.databaseUrl }),
  );
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
