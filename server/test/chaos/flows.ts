/**
 * Kills the server while workflows run: lists, purchases, steps that compute, people who answer. Afterwards every execution has ended, every
 * node was paid once, and the books are right.
 */
import { readConfig } from '../../src/config.ts'
import { startHouse } from '../../src/house.ts'
import { audit } from '../../src/ledger/books.ts'
import { startKillable } from '../kit/killable.ts'

export interface FlowChaosOptions { executions: number; kills: number; killAfterMs: [number, number]; say?(line: string): void }
export interface FlowChaosReport { executions: number; kills: number; bought: number; answered: number; seconds: number; broken: string[] }

const pause = (ms: number) => new Promise<void>(resolve => { setTimeout(resolve, ms) })
const items = 4
const wire = (from: string, to: string) => { const [[a, p], [b, q]] = [from.split('.'), to.split('.')]; return { from: { node: a, port: p }, to: { node: b, port: q } } }
/** Four pictures, made small; a person chooses; what was chosen is made once more. Beside them another workflow is called, which makes one. */
const graph = {
  nodes: [
    { id: 'prompts', kind: 'list' }, { id: 'each', kind: 'iterate' }, { id: 'picture', kind: 'generate', settings: { model: 'rehearsal-1' } }, { id: 'small', kind: 'resize', settings: { width: 32 } }, { id: 'all', kind: 'collect' },
    { id: 'choice', kind: 'approval' }, { id: 'word', kind: 'text' }, { id: 'final', kind: 'generate', settings: { model: 'rehearsal-1' } }, { id: 'out', kind: 'output', settings: { name: 'final' } },
    { id: 'call', kind: 'workflow', settings: { workflow: 'sequel', into: 'prompt' } }, { id: 'called', kind: 'output', settings: { name: 'called' } },
  ],
  edges: [
    wire('prompts.items', 'each.items'), wire('each.item', 'picture.prompt'), wire('picture.image', 'small.image'), wire('small.image', 'all.items'), wire('all.items', 'choice.candidates'),
    wire('choice.image', 'final.images'), wire('word.text', 'final.prompt'), wire('final.image', 'out.value'), wire('word.text', 'call.value'), wire('call.value', 'called.value'),
  ],
  inputs: [{ name: 'prompts', node: 'prompts', port: 'items' }, { name: 'word', node: 'word', port: 'text' }],
}
const sequel = { nodes: [{ id: 'picture', kind: 'generate', settings: { model: 'rehearsal-1' } }, { id: 'out', kind: 'output', settings: { name: 'picture' } }], edges: [wire('picture.image', 'out.value')], inputs: [{ name: 'prompt', node: 'picture', port: 'prompt' }] }
/** Purchases of one execution, what it calls included. */
const purchases = items + 2
const ways = ['', 'rehearse:queued', 'rehearse:cut_after', 'rehearse:slow']

export async function runFlowChaos({ executions, kills, killAfterMs, say = () => {} }: FlowChaosOptions): Promise<FlowChaosReport> {
  const begun = performance.now()
  const closers: (() => Promise<void>)[] = []
  try {
    const { server: victim, upstream, environment, url, secret } = await startKillable({ after: close => { closers.unshift(close) } })

    /** Asks until it is answered, as a client does whose server goes away. */
    const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<{ status: number; body: any }> => {
      for (;;) {
        try {
          const answer = await fetch(`${url}/plantain/v1${path}`, { method, headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json', ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }), signal: AbortSignal.timeout(15_000) })
          if (answer.status < 500) return { status: answer.status, body: await answer.json() }
        } catch { /* it was killed, or is not up yet */ }
        await pause(30)
      }
    }
    await ask('POST', '/workflows', { name: 'Sequel', slug: 'sequel', graph: sequel })
    const ids = new Set<string>()
    let answered = 0
    let finished = false
    const killing = (async () => {
      for (let killed = 1; killed <= kills; killed++) {
        await pause(killAfterMs[0] + Math.random() * (killAfterMs[1] - killAfterMs[0]))
        await victim.kill()
        await victim.start()
        say(`killed ${killed} of ${kills}; ${ids.size} of ${executions} begun, ${answered} reviews answered`)
      }
    })()
    const beginning = Promise.all(Array.from({ length: executions }, async (_, index) => {
      await pause(index * 150)
      const prompts = Array.from({ length: items }, (_, item) => `picture ${index}.${item} ${ways[(index + item) % ways.length]}`.trim())
      const { status, body } = await ask('POST', '/executions', { graph, inputs: { prompts, word: `final ${index}` } }, { 'idempotency-key': `flow-${index}` })
      if (status >= 400) throw new Error(`An execution was refused: ${JSON.stringify(body)}`)
      ids.add(body.id)
    }))
    const answering = (async () => {
      while (!finished) {
        for (const review of (await ask('GET', '/reviews?state=open&limit=100')).body.items as { id: string }[]) {
          if ((await ask('POST', `/reviews/${review.id}`, { action: 'approve', chosen: [1] })).status === 200) answered++
        }
        await pause(50)
      }
    })()
    await Promise.all([killing, beginning])

    const broken: string[] = []
    for (const id of ids) {
      let execution: any
      for (const until = performance.now() + 120_000; performance.now() < until;) {
        execution = (await ask('GET', `/executions/${id}?wait=5`)).body
        if (execution.state !== 'running' && execution.state !== 'waiting_for_review') break
      }
      if (execution.state !== 'done' || !execution.outputs?.final || !execution.outputs.called) broken.push(`execution ${id} is ${execution.state}: ${JSON.stringify(execution.problem ?? execution.runs)}`)
      if (execution.cost.micros !== purchases * 40_000) broken.push(`execution ${id} cost ${execution.cost.micros}`)
    }
    finished = true
    await answering
    if (ids.size !== executions) broken.push(`${ids.size} executions were begun under ${executions} keys`)
    const stats = upstream.stats()
    for (const [task, { accepted }] of Object.entries(stats.tasks)) if (accepted > 1) broken.push(`task ${task} was bought ${accepted} times`)
    if (stats.accepted !== executions * purchases) broken.push(`${stats.accepted} pictures were bought, and ${executions * purchases} were wanted`)
    await victim.stop()
    const house = await startHouse(readConfig({ ...environment, PORT: '0' }), { roles: [] })
    try { broken.push(...await audit(house.database)) } finally { await house.close() }
    return { executions: ids.size, kills, bought: stats.accepted, answered, seconds: (performance.now() - begun) / 1_000, broken }
  } finally { for (const close of closers) await close() }
}
