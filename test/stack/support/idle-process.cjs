// Run as a program: stays until it is stopped; READY_PORT makes it reply, FAIL makes it fail.
const { createServer } = require('node:http');
const { setInterval } = require('node:timers');

const { FAIL, IGNORE_SIGTERM, READY_PORT } = process.env;
if (FAIL) {
  for (let line = 1; line <= 40; line += 1) console.error(`line ${line}`);
  process.exit(3);
}
if (IGNORE_SIGTERM) process.on('SIGTERM', () => console.log('not yet'));
else process.on('SIGTERM', () => process.exit(7));
if (READY_PORT) {
  const server = createServer((request, response) => response.end(JSON.stringify(process.env)));
  server.listen(Number(READY_PORT), '127.0.0.1');
}
console.log('up');
setInterval(() => undefined, 1_000);
