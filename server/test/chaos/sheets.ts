/**
 * Kills the server while batches out of tables run, one of tasks and one of executions under a cap: rows are read, checked, made and told of.
 * Afterwards every row was bought once, nothing is loose, and the books are right.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { readConfig } from '../../src/config.ts'
import { startHouse } from '../../src/house.ts'
import { audit } from '../../src/ledger/books.ts'
import { startKillable } from '../kit/killable.ts'

export interface SheetChaosOptions { rows: number; kills: number; /** Before each kill, at least and at most. */ killAfterMs: [number, number]; say?(line: string): void }
export interface SheetChaosReport { rows: number; kills: number; bought: number; seconds: number; broken: string[] }

const ways = ['', 'rehearse:slow', 'rehearse:queued']
const price = 40_000
const wire = (from: string, to: string) => { const [[a, p], [b, q]] = [from.split('.'), to.split('.')]; return { from: { node: a, port: p }, to: { node: b, port: q } } }
const workflow = {
  name: 'Two', slug: 'two', graph: {
    nodes: [{ id: 'words', kind: 'text', settings: { text: 'x' } }, { id: 'made', kind: 'generate', settings: { model: 'rehearsal-1' } }, { id: 'out', kind: 'output', settings: {} }],
    edges: [wire('words.text', 'made.prompt'), wire('made.image', 'out.value')], inputs: [{ name: 'what', node: 'words', port: 'text' }],
  },
}

export async function runSheetChaos({ rows: total, kills, killAfterMs, say = () => {} }: SheetChaosOptions): Promise<SheetChaosReport> {
  const begun = performance.now()
  const closers: (() => Promise<void>)[] = []
  try {
    const { server, upstream, environment, url, secret } = await startKillable({ after: close => { closers.unshift(close) } })
    const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<any> => {
      for (;;) {
        try {
          const answer = await fetch(`${url}/plantain/v1${path}`, { method, headers: { authorization: `Bearer ${secret}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }), signal: AbortSignal.timeout(15_000) })
          if (answer.status < 500) return await answer.json()
        } catch { /* It was killed, or is not up yet. */ }
        await pause(30)
      }
    }
    await ask('POST', '/workflows', workflow)
    const rows = (what: string) => Array.from({ length: total }, (_, n) => ({ what: `${what} ${n} ${ways[n % ways.length]}` }))
    const ids: string[] = []
    const sending = (async () => {
      ids.push((await ask('POST', '/batches?wait=0', { target: { model: 'rehearsal-1', prompt: '{{what}}' }, rows: rows('task') }, { 'idempotency-key': 'tasks' })).id)
      ids.push((await ask('POST', '/batches?wait=0', { target: { workflow: 'two' }, rows: rows('execution'), budget_max_micros: total * price }, { 'idempotency-key': 'executions' })).id)
    })()
    for (let kill = 1; kill <= kills; kill++) {
      await pause(killAfterMs[0] + Math.random() * (killAfterMs[1] - killAfterMs[0]))
      await server.kill()
      await server.start()
      say(`killed ${kill} of ${kills}`)
    }
    await sending

    const broken: string[] = []
    for (const id of ids) {
      let batch: any
      for (const end = performance.now() + 180_000; performance.now() < end; await pause(100)) {
        batch = await ask('GET', `/batches/${id}`)
        if (['done', 'failed', 'cancelled', 'expired', 'paused'].includes(batch.state)) break
      }
      if (batch.state !== 'done' || batch.rows.done !== total || batch.rows.total !== total || batch.cost.micros !== total * price) broken.push(`batch ${id} is ${batch.state}: ${JSON.stringify([batch.rows, batch.cost, batch.problems])}`)
    }
    const { tasks, accepted } = upstream.stats()
    for (const [id, one] of Object.entries(tasks)) if (one.accepted > 1) broken.push(`task ${id} was bought ${one.accepted} times`)
    if (accepted !== 2 * total) broken.push(`${accepted} pictures were bought, and ${2 * total} were wanted`)
    await server.stop()
    const house = await startHouse(readConfig({ ...environment, PORT: '0' }), { roles: [] })
    try {
      const { rows: [all] } = await house.database.query<{ tasks: number; executions: number; linked: number }>(`select (select count(*)::int from task) as tasks, (select count(*)::int from execution) as executions,
        (select count(distinct coalesce(task_id, execution_id))::int from batch_row) as linked`)
      if (all!.tasks !== 2 * total || all!.executions !== total || all!.linked !== 2 * total) broken.push(`there are tasks or executions that no row has, or rows without one: ${JSON.stringify(all)}`)
      broken.push(...await audit(house.database))
    } finally { await house.close() }
    return { rows: 2 * total, kills, bought: accepted, seconds: (performance.now() - begun) / 1_000, broken }
  } finally { for (const close of closers) await close() }
}
