/**
 * A whole house in a process of its own, with one more door that takes a picture inline, in several ways.
 * Settings come from the environment. Prints its addresses and a key; tells event-loop delays when asked (a line on standard input).
 */
import { createHash } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { readConfig } from '../../src/config.ts'
import { startHouse } from '../../src/house.ts'
import { serveHttp } from '../../src/http/server.ts'
import { createLog } from '../../src/kit/log.ts'
import { grant } from '../../src/ledger/ledger.ts'
import { protocol, type Incoming } from '../../src/protocols/contract.ts'

const config = readConfig(process.env)
const log = createLog(config.LOG_LEVEL)
const house = await startHouse(config, { log })
const { rows: [first] } = await house.database.query<{ account_id: string; project_id: string }>('select account_id, id as project_id from project order by id limit 1')
await house.database.transaction(client => grant(client, { accountId: first!.account_id, livemode: true }, 1_000_000_000, 'Benchmark'))
const { secret } = await house.access.createKeyForOperator(first!.project_id, { name: 'Benchmark', livemode: true, scopes: ['admin'], expiresAt: null, limits: { requestsPerMinute: null, executionsPerDay: null, concurrent: null } })

const imageOf = ({ body, inline }: Incoming) => inline((body as { image: string }).image)!
const door = protocol({
  id: 'native', title: 'Benchmark', prefixes: ['/'],
  readSecret: ({ headers }) => headers['authorization']?.replace(/^Bearer /, '') ?? null,
  refuse: problem => Response.json({ error: problem.message }, { status: problem.status }),
  routes: [{
    method: 'POST', path: '/read', scope: 'tasks:write', body: 'inline',
    async handle(request) {
      const { upload } = imageOf(request)
      const sum = createHash('sha256')
      for await (const chunk of (upload as { stream: Readable }).stream) sum.update(chunk as Buffer)
      return Response.json({ sha256: sum.digest('hex') })
    },
  }, {
    method: 'POST', path: '/keep', scope: 'tasks:write', body: 'inline',
    handle: async (request, desk) => Response.json({ sha256: (await desk.assets.keep(imageOf(request).upload)).sha256 }),
  }, {
    // The floor: the bytes are counted, and nothing else is done.
    method: 'POST', path: '/count', scope: 'tasks:write', body: 'stream',
    async handle({ stream }) {
      let sizeBytes = 0
      for await (const chunk of stream!) sizeBytes += (chunk as Buffer).length
      return Response.json({ sizeBytes })
    },
  }, {
    // As it would be without: the whole body parsed, the picture decoded out of a string.
    method: 'POST', path: '/whole', scope: 'tasks:write', body: 'json', bodyMax: 64 * 1024 * 1024,
    handle: async ({ body }) => Response.json({ sha256: createHash('sha256').update(Buffer.from((body as { image: string }).image, 'base64')).digest('hex') }),
  }],
})
const http = await serveHttp({
  host: '127.0.0.1', port: 0, protocols: [door], authenticate: house.access.authenticate, countRequest: async () => null, deskFor: house.deskFor,
  publicDesk: { publicUrl: '', assets: house.assets, files: house.files }, log, health: { ready: async () => true }, metrics: async () => '',
})

const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
createInterface(process.stdin).on('line', () => {
  console.log(JSON.stringify({ delayMaxMs: delay.max / 1e6, rss: process.memoryUsage().rss }))
  delay.reset()
}).on('close', async () => {
  await http.close({ graceMs: 1_000 })
  await house.close()
  process.exit(0)
})
console.log(JSON.stringify({ url: http.url, houseUrl: house.url, key: secret }))
