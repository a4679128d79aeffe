// Agenda 5, behind the interface that agent.mjs drives.
import { createRequire } from 'node:module'

// Agenda 5 brings a driver of its own (mongodb 4), and its ObjectIds belong to
// that driver's BSON.
const require = createRequire(import.meta.url)
const own = createRequire(require.resolve('agenda5'))
const { Agenda } = own('./cjs.js')
const { MongoClient, ObjectId } = own('mongodb')
export const { EJSON } = own('bson')
export const { version } = own('../package.json')

export async function open({ uri, database, collection, ...config }, fail) {
  const client = await MongoClient.connect(uri)
  const agenda = new Agenda(config)
  agenda.on('error', fail)
  const ready = new Promise((resolve, reject) => {
    agenda.once('ready', resolve)
    agenda.once('error', reject)
  })
  agenda.mongo(client.db(database), collection)
  await ready

  const find = async (ids) => agenda.jobs({ _id: { $in: ids.map((id) => new ObjectId(id)) } })
  return {
    agenda,
    define: (name, options, run) => agenda.define(name, options, run),
    states: async (ids) => (await find(ids)).map((job) => ({ ...shown(job.attrs), states: states(job) })),
    resave: async (id) => {
      for (const job of await find([id])) await job.save()
    },
  }
}

// nextRunAt is left out: Agenda 5 sets it to now when it loads a finished job.
function shown({ _id, failReason, failCount, lastRunAt, lastFinishedAt, lockedAt }) {
  return { id: String(_id), failReason, failCount, lastRunAt, lastFinishedAt, lockedAt }
}

// Agenda 5 computes no states. These are the flags of its dashboard, Agendash 2
// to 4, but for those that need nextRunAt; isRunning() is Agenda 5's own.
function states(job) {
  const { lastFinishedAt: finished, failedAt: failed, repeatInterval } = job.attrs
  return [
    job.isRunning() && 'running',
    finished && failed && +finished === +failed && 'failed',
    finished && (!failed || finished > failed) && 'completed',
    repeatInterval && 'repeating',
  ].filter(Boolean)
}
