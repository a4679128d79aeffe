// A Node process with Agenda 6 under chaos: it runs jobs named "shared", as our
// workers do, and enqueues jobs for them. It writes the same history as the
// worker (tools/chaos/internal/history). Its argument is JSON: process, history
// (a folder), uri, database, interop (the folder with Agenda's packages).
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'

const options = JSON.parse(process.argv[2])
const { open } = await import(join(options.interop, 'agenda6.mjs'))

const file = join(options.history, options.process + '.history')
const now = () => Number(process.hrtime.bigint()) // CLOCK_MONOTONIC
const write = (line) => appendFileSync(file, JSON.stringify({ at: now(), process: options.process, ...line }) + '\n')
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

write({ event: 'life', note: 'node' })
const { agenda, define } = await open(
  { uri: options.uri, database: options.database, collection: 'agendaJobs', name: 'node', processEvery: 1000 },
  (error) => console.error('agenda:', error.message),
)

// The lock lifetime is kinds.SharedLifetime.
define('shared', { concurrency: 3, lockLimit: 3, lockLifetime: 20_000 }, async ({ attrs: { _id, name, data, nextRunAt, lastRunAt } }) => {
  const line = { job: String(_id), name, key: data?.key, holder: 'node', tick: Number(nextRunAt ?? lastRunAt) }
  write({ event: 'start', ...line })
  write({ event: 'effect', ...line })
  await pause(data?.waitMs ?? 0)
  write({ event: 'end', ...line })
})
await agenda.start()
console.log('ready')

// What was asked for and not acknowledged is asked for again under the same
// key; without unique() Node may then have made two jobs, which the checker
// knows.
// A line of input ends the enqueues, and the end of the input all.
let enough = false
process.stdin.on('data', () => (enough = true))
const stop = once(process.stdin, 'end')
for (let n = 0; !enough && !process.stdin.readableEnded; n++) {
  const name = n % 2 ? 'shared' : 'quick'
  const key = `${options.process}-${n}`
  const began = now()
  try {
    const job = await agenda.now(name, { key, waitMs: 20 * (n % 10) })
    write({ event: 'ack', began, job: String(job.attrs._id), name, key })
  } catch (error) {
    console.error('not enqueued:', error.message)
  }
  await Promise.race([pause(1200), stop])
}
await stop
await agenda.stop()
process.exit(0)
