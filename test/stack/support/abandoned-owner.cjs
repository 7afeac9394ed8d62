// Run as a program: starts a stack, prints its parts, and waits to be killed.
const { startStack } = require('../../../dist/stack/stack.js');

async function main() {
  const stack = await startStack({ durable: false, temporal: { own: true } });
  const script = 'test/support/idle-process.cjs';
  const env = { IGNORE_SIGTERM: process.env.IGNORE_SIGTERM ?? '' };
  const idle = await stack.spawn('idle', { script, env });
  console.log(
    JSON.stringify({ dataDir: stack.dataDir, idle: idle.pid, databaseUrl: stack.databaseUrl }),
  );
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
