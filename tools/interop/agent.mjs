// One Node process with Agenda, driven by the Go tests. The argument is the
// major version of Agenda.
//
// Each line of standard input is a command {id, call, args} in Extended JSON,
// so that dates stay dates; each is answered by {id, result} or {id, error}.
// What happens in between is told by {event, ...}. The process ends when
// standard input does, so it cannot outlive the test.
import { createInterface } from 'node:readline'

const { open, version, EJSON } = await import(`./agenda${process.argv[2]}.mjs`)

const say = (message) => process.stdout.write(EJSON.stringify(message, { relaxed: true }) + '\n')
const fail = (error) => say({ event: 'error', message: error.message })

let session // what open() made
const released = new Map() // name -> [promise, resolve]

function releaseOf(name) {
  if (!released.has(name)) {
    let resolve
    released.set(name, [new Promise((r) => (resolve = r)), resolve])
  }
  return released.get(name)
}

// run is the handler of every name: it tells that it began, and ends as the
// definition says.
function handler({ hold, error }) {
  return async (job) => {
    const { _id, name, data } = job.attrs
    say({ event: 'run', job: String(_id), name, data })
    if (hold) await releaseOf(name)[0]
    if (error) throw new Error(error)
  }
}

const idOf = async (saved) => String((await saved).attrs._id)

const calls = {
  async open(options) {
    session = await open(options, fail)
    return version
  },
  define({ name, hold, error, ...options }) {
    session.define(name, options, handler({ hold, error }))
  },
  start: () => session.agenda.start(),
  stop: () => session.agenda.stop(),
  now: (name, data) => idOf(session.agenda.now(name, data)),
  schedule: (when, name, data) => idOf(session.agenda.schedule(when, name, data)),
  every: (interval, name, data, options) => idOf(session.agenda.every(interval, name, data ?? undefined, options)),
  unique: (name, data, query, options) => idOf(session.agenda.create(name, data).unique(query, options).save()),
  release: (name) => releaseOf(name)[1](),
  states: (ids) => session.states(ids),
  resave: (id) => session.resave(id).then(() => undefined),
  dashboard: () => session.dashboard(),
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, call, args } = EJSON.parse(line)
  // Not awaited: a command may come while another is being worked on.
  Promise.resolve()
    .then(() => calls[call](...args))
    .then(
      (result = null) => say({ id, result }),
      (error) => say({ id, error: error.message }),
    )
}
process.exit(0)
