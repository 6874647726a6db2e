/**
 * Kills the server again and again while it works, and looks at what is left.
 *
 * The server under test is a process of its own with its own embedded PostgreSQL (durable, not the fast one of other tests); a
 * `kill -9` takes both. The upstream, the receiver of webhooks and the clients live here and survive. Everything a client was
 * told must hold afterwards; what it was not told it sends again under the same Idempotency-Key, as a client does.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../src/config.ts'
import { startHouse } from '../../src/house.ts'
import { audit } from '../../src/ledger/books.ts'
import { openOperator } from '../../src/operator.ts'
import { startUpstream } from '../../src/providers/rehearsal/upstream.ts'
import { testSettings } from '../kit/house.ts'
import { freePort } from '../kit/port.ts'
import { serverProcess } from '../kit/server.ts'

export interface ChaosOptions {
  tasks: number
  kills: number
  /** Between a start and the kill, at random. */
  killAfterMs: [number, number]
  /** Whether the upstream can be asked what became of a lost answer. Where it cannot, tasks may end as `outcome_unknown`. */
  lookup: boolean
  /** Three upstreams behind one model, each of them busy or broken for a while after each kill: work moves between them. */
  fallback?: boolean
  say?(line: string): void
}

export interface ChaosReport {
  tasks: number
  kills: number
  /** How tasks ended. */
  states: Record<string, number>
  unknown: number
  upstreamAccepted: number
  /** Tasks for which more than one upstream was asked. */
  moved: number
  webhooks: number
  seconds: number
  /** What is wrong, as sentences; empty when every promise held. */
  broken: string[]
}

/** What clients order: quick, slow, queued upstreams, and each way an answer can be lost. */
const kinds = ['', 'rehearse:queued', 'rehearse:slow', 'rehearse:500', 'rehearse:cut_after', 'rehearse:queued', 'rehearse:html', '', 'rehearse:refused', 'rehearse:502']
/** The same with upstreams that say no before they take anything, so that the next one is asked. */
const fallbackKinds = ['', 'rehearse:queued', 'rehearse:busy', 'rehearse:500', 'rehearse:cut_after', 'rehearse:slow', 'rehearse:cut_before', 'rehearse:html', 'rehearse:refused', 'rehearse:502']
/** Kinds the upstream says no to, or fails at in a documented way: asking again after that is no double purchase. */
const mayBeAskedAgain = (prompt: string) => /rehearse:(500|502)/.test(prompt)


const pause = (ms: number) => new Promise<void>(resolve => { setTimeout(resolve, ms) })

export async function runChaos({ tasks, kills, killAfterMs, lookup, fallback = false, say = () => {} }: ChaosOptions): Promise<ChaosReport> {
  const begun = performance.now()
  const dataDir = await mkdtemp(join(tmpdir(), 'plantain-chaos-'))
  const upstreams = await Promise.all(Array.from({ length: fallback ? 3 : 1 }, () => startUpstream({ port: 0 })))
  const orders = fallback ? fallbackKinds : kinds
  const webhooks = new Map<string, number>()
  const receiver = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk as Buffer)).on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as { data: { id: string } }
      webhooks.set(body.data.id, (webhooks.get(body.data.id) ?? 0) + 1)
      response.end('ok')
    })
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => { receiver.once('listening', resolve) })
  const callbackUrl = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/done`

  const environment: Record<string, string> = { ...testSettings({ databaseUrl: '', dataDir, upstreamUrl: upstreams[0]!.url }), PORT: String(await freePort()), SHUTDOWN_GRACE_S: '5', REHEARSAL_LOOKUP: String(lookup),
    ...fallback ? { PROVIDER_ACCOUNTS: 'rehearsal-b=rehearsal,rehearsal-c=rehearsal', REHEARSAL_B_BASE_URL: upstreams[1]!.url, REHEARSAL_C_BASE_URL: upstreams[2]!.url, REHEARSAL_B_LOOKUP: String(lookup), REHEARSAL_C_LOOKUP: String(lookup) } : {} }
  const url = `http://127.0.0.1:${environment.PORT}`
  const server = serverProcess(environment)

  try {
    await server.start()
    const config = readConfig(environment)
    const operator = await openOperator(config)
    const { secret } = await operator.keys.create({ name: 'Chaos', livemode: true, scopes: ['admin'], expiresAt: null, limits: { requestsPerMinute: null, executionsPerDay: null, concurrent: null } })
    await operator.credits.grant(1_000_000_000, { livemode: true, note: 'Chaos' })
    await operator.close()

    const acknowledged = new Map<string, string>()
    let done = false
    const order = async (index: number) => {
      const prompt = `picture ${index} ${orders[index % orders.length]}`
      for (;;) {
        try {
          const answer = await fetch(`${url}/plantain/v1/tasks`, {
            method: 'POST', headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json', 'idempotency-key': `chaos-${index}` },
            body: JSON.stringify({ model: fallback ? 'rehearsal-3' : 'rehearsal-1', prompt, callback_url: callbackUrl, end_within_s: 600 }), signal: AbortSignal.timeout(10_000),
          })
          if (answer.ok) {
            acknowledged.set((await answer.json() as { id: string }).id, prompt)
            return
          }
          if (answer.status < 500) throw new TypeError(`refused: ${answer.status} ${await answer.text()}`)
        } catch (error) {
          if (error instanceof TypeError && error.message.startsWith('refused')) throw error
        }
        await pause(50)
      }
    }

    const killing = (async () => {
      for (let killed = 1; killed <= kills; killed++) {
        await pause(killAfterMs[0] + Math.random() * (killAfterMs[1] - killAfterMs[0]))
        // The first that is asked most of the time, so that there is always somewhere to go and something to leave.
        if (fallback) upstreams[killed % 3 === 0 ? 1 : 0]!.tell({ times: 6, does: killed % 2 ? { kind: 'busy', retryAfterS: 1 } : { kind: 'error', status: 500 } })
        await server.kill()
        await server.start()
        say(`killed ${killed} of ${kills}; ${acknowledged.size} of ${tasks} tasks taken, ${webhooks.size} told`)
      }
      done = true
    })()
    // Orders come in over the whole time of killing, eight clients at once.
    let next = 0
    const ordering = Promise.all(Array.from({ length: 8 }, async () => {
      while (next < tasks) {
        const index = next++
        await order(index)
        if (!done) await pause((killAfterMs[1] + 1_000) * kills / tasks * 8 * Math.random())
      }
    }))
    await Promise.all([killing, ordering])

    const broken: string[] = []
    const open = openReader(url, secret)
    for (const id of acknowledged.keys()) {
      const task = await open(id)
      if (task === null) broken.push(`task ${id} was acknowledged and is gone`)
      else if (task.ended_at === null) broken.push(`task ${id} did not end: ${task.state}`)
    }
    await until(() => [...acknowledged.keys()].every(id => webhooks.has(id)), 30_000)
    for (const id of acknowledged.keys()) if (!webhooks.has(id)) broken.push(`task ${id} was never called back`)

    const stats = upstreams.map(one => one.stats())
    const acceptedOf = (id: string) => stats.reduce((sum, one) => sum + (one.tasks[id]?.accepted ?? 0), 0)
    const states: Record<string, number> = {}
    let unknown = 0
    for (const [id, prompt] of acknowledged) {
      const task = await open(id)
      if (task === null) continue
      states[task.state] = (states[task.state] ?? 0) + 1
      const isUnknown = task.problem?.code === 'outcome_unknown'
      if (isUnknown) unknown++
      if (isUnknown && lookup) broken.push(`task ${id} (${prompt}) is called unknown, and could have been looked up`)
      const accepted = acceptedOf(id)
      if (accepted > 1 && (fallback || !mayBeAskedAgain(prompt))) broken.push(`task ${id} (${prompt}) was bought ${accepted} times`)
      if (task.state === 'done' && accepted < 1) broken.push(`task ${id} is done and nobody made it`)
    }
    for (const id of stats.flatMap(one => Object.keys(one.tasks))) if (!acknowledged.has(id)) broken.push(`the upstream was asked for ${id}, which no client knows`)

    // A gentle stop this time, then the books and the files are looked at in a house without doors.
    await server.stop()
    let moved = 0
    const house = await startHouse(readConfig({ ...environment, PORT: '0' }), { roles: [] })
    try {
      broken.push(...await audit(house.database))
      await house.collect({ graceMs: 0 })
      broken.push(...await looseFiles(house.database, dataDir))
      broken.push(...await wrongMoves(house.database))
      const { rows: [row] } = await house.database.query<{ moved: number }>('select count(*)::int as moved from (select from attempt group by task_id having count(distinct provider) > 1) several')
      moved = row!.moved
    } finally { await house.close() }
    return { tasks: acknowledged.size, kills, states, unknown, upstreamAccepted: stats.reduce((sum, one) => sum + one.accepted, 0), moved, webhooks: webhooks.size, seconds: (performance.now() - begun) / 1000, broken }
  } finally {
    await server.close()
    await Promise.all(upstreams.map(one => one.close()))
    receiver.closeAllConnections()
    await new Promise(resolve => { receiver.close(resolve) })
    await rm(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
}

interface TaskView { state: string; ended_at: string | null; problem: { code: string } | null }

const openReader = (url: string, secret: string) => async (id: string): Promise<TaskView | null> => {
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`${url}/plantain/v1/tasks/${id}/wait?timeout=60`, { headers: { authorization: `Bearer ${secret}` } })
    if (answer.status === 404) return null
    const task = await answer.json() as TaskView
    if (task.ended_at !== null || tries === 2) return task
  }
}

/** Attempts after which nobody was to be asked again, and somebody was: their end was not known, or was not a failure that leads on. */
async function wrongMoves(database: { query(sql: string): Promise<{ rows: { id: string; number: number; outcome: string | null; code: string | null }[] }> }): Promise<string[]> {
  const { rows } = await database.query(`
    select a.task_id as id, a.number, a.outcome, a.problem->>'code' as code from attempt a
    where exists (select from attempt b where b.task_id = a.task_id and b.number > a.number)
      and (a.outcome is distinct from 'failed' or a.problem->>'code' not in ('provider_busy', 'provider_down', 'provider_not_configured'))`)
  return rows.map(row => `task ${row.id} was asked again after attempt ${row.number} ended as ${row.outcome ?? 'nothing'} (${row.code ?? 'no problem'})`)
}

/** Files that no row names, rows without a file, and temporary files. */
async function looseFiles(database: { query(sql: string): Promise<{ rows: { sha256: string }[] }> }, dataDir: string): Promise<string[]> {
  const { rows } = await database.query(`select encode(sha256, 'hex') as sha256 from blob`)
  const named = new Set(rows.map(row => row.sha256))
  const entries = (await readdir(dataDir, { recursive: true, withFileTypes: true })).filter(entry => entry.isFile() && !entry.parentPath.startsWith(join(dataDir, 'database')))
  const files = entries.map(entry => entry.name).filter(name => name !== 'first-key.txt')
  const held = new Set(files.map(name => name.slice(0, 64)))
  return [
    ...files.filter(name => !named.has(name.slice(0, 64))).map(name => `the file ${name} belongs to nothing`),
    ...[...named].filter(sha256 => !held.has(sha256)).map(sha256 => `the file ${sha256} is missing`),
  ]
}

async function until(condition: () => boolean, withinMs: number): Promise<void> {
  for (const end = performance.now() + withinMs; !condition() && performance.now() < end;) await pause(20)
}
