// Runs a backlog of no-op jobs on Node's Agenda and prints one line of JSON:
// how many jobs finished, in what time, with how many commands on the wire.
//
//   node noop.mjs agenda6|agenda5 URI JOBS SECONDS CONCURRENCY PROCESS_EVERY_MS NAME
//
// The backlog is in the collection already. The time begins with
// agenda.start() and ends when the last outcome is stored: Agenda says
// "complete" after the answer to that write. All writes ask for write concern
// majority and journal.
import { createRequire } from 'node:module';
import process from 'node:process';

const [version, uri, jobs, seconds, concurrency, processEvery, name] =
  process.argv.slice(2).map((text, i) => (i >= 2 && i <= 5 ? Number(text) : text));

const require = createRequire(import.meta.url);
const driver = version === 'agenda6'
  ? require('mongodb')
  : createRequire(require.resolve('agenda5'))('mongodb'); // the driver that this version brings

const client = new driver.MongoClient(uri, {
  monitorCommands: true,
  writeConcern: { w: 'majority', journal: true },
});
let commands = {};
client.on('commandStarted', (event) => {
  commands[event.commandName] = (commands[event.commandName] ?? 0) + 1;
});
await client.connect();

const agenda = await makeAgenda({
  processEvery, maxConcurrency: concurrency, defaultConcurrency: concurrency,
});
agenda.on('error', (error) => console.error(String(error)));

const completed = new Set();
let runs = 0;
const finished = new Promise((resolve) => {
  agenda.on('complete', (job) => {
    runs += 1;
    completed.add(String(job.attrs._id));
    if (completed.size === jobs) resolve(true);
  });
});
agenda.define(name, async () => {});

commands = {};
const began = performance.now();
await agenda.start();
const timeout = new Promise((resolve) => { setTimeout(resolve, seconds * 1000, false); });
const all = await Promise.race([finished, timeout]);
const milliseconds = performance.now() - began;

console.log(JSON.stringify({
  finished: all, completed: completed.size, runs, milliseconds, commands, node: process.versions.node,
}));
process.exit(0); // nothing is to be saved: the database is dropped

async function makeAgenda(options) {
  if (version === 'agenda6') {
    const { Agenda } = await import('agenda');
    const { MongoBackend } = await import('@agendajs/mongo-backend');
    return new Agenda({ ...options, backend: new MongoBackend({ mongo: client.db() }) });
  }
  const { Agenda } = require('agenda5');
  const made = new Agenda({ ...options, mongo: client.db() });
  await made._ready; // its index
  return made;
}
