// Agenda 6 and its dashboard, behind the interface that agent.mjs drives.
import { createRequire } from 'node:module'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { MongoBackend } from '@agendajs/mongo-backend'
import { Agenda, Job } from 'agenda'
import { createExpressMiddleware } from 'agendash'
import express from 'express'
import { BSON, MongoClient } from 'mongodb'

const require = createRequire(import.meta.url)
export const { EJSON } = BSON
export const { version } = require(fileURLToPath(new URL('../package.json', import.meta.resolve('agenda'))))

export async function open({ uri, database, collection, ...config }, fail) {
  const client = await MongoClient.connect(uri)
  const backend = new MongoBackend({ mongo: client.db(database), collection })
  const agenda = new Agenda({ ...config, backend })
  agenda.on('error', fail)
  await agenda.ready

  return {
    agenda,
    define: (name, options, run) => agenda.define(name, run, options),
    states: async (ids) => (await agenda.queryJobs({ ids })).jobs.map(shown),
    resave: async (id) => new Job(agenda, await agenda.db.getJobById(id)).save(),
    dashboard: async () => {
      const server = express().use(createExpressMiddleware(agenda)).listen(0, '127.0.0.1')
      await once(server, 'listening')
      return `http://127.0.0.1:${server.address().port}`
    },
  }
}

function shown({ _id, state, disabled, failReason, failCount, lastRunAt, lastFinishedAt, lockedAt }) {
  const states = disabled ? [state, 'paused'] : [state]
  return { id: String(_id), states, failReason, failCount, lastRunAt, lastFinishedAt, lockedAt }
}
