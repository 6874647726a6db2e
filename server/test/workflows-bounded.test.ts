/** Iterations and executions that make only so much at once, with two workers of which one is killed: counted in the database at every claim, so that no moment is missed. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { testHouse, testSettings, type TestHouse } from './kit/house.ts'
import { serverProcess, type ServerProcess } from './kit/server.ts'
import { wire } from './kit/workflow.ts'

let house: TestHouse
let workers: ServerProcess[] = []
before(async () => {
  house = await testHouse({ roles: ['serve'] })
  // Every claim is one statement; what is being made after it is written down in its own transaction.
  await house.database.query(`
    create table seen (moment bigint, execution_id uuid, node text, making int);
    create sequence moment;
    create function look() returns trigger language plpgsql as $$ declare this bigint := nextval('moment'); begin
      insert into seen select this, execution_id, node, count(*) from node_run where state in ('running', 'waiting') group by execution_id, node;
      return null; end $$;
    create trigger looks after update on node_run for each statement execute function look();`)
  const environment = testSettings({ databaseUrl: house.house.config.DATABASE_URL!, dataDir: house.dataDir, upstreamUrl: house.upstream.url })
  workers = [serverProcess(environment, ['--work']), serverProcess(environment, ['--work'])]
  await Promise.all(workers.map(worker => worker.start()))
})
after(async () => {
  await Promise.all(workers.map(worker => worker.close()))
  await house?.close()
})

async function ask(method: string, path: string, body?: unknown): Promise<any> {
  const answer = await fetch(house.url + path, { method, headers: { authorization: `Bearer ${house.liveKey}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  return { status: answer.status, body: JSON.parse(await answer.text()) }
}
async function until<T>(look: () => Promise<T | null | false>, what: string): Promise<T> {
  for (const end = performance.now() + 120_000; performance.now() < end; await pause(50)) {
    const found = await look()
    if (found) return found
  }
  throw new Error(`${what} never came.`)
}
const rows = async <T extends object>(text: string, values: unknown[] = []) => (await house.database.query<T & Record<string, unknown>>(text, values)).rows
/** Tasks that were bought, and how often the upstream was asked for one at most. */
const bought = () => { const tasks = Object.values(house.upstream.stats().tasks); return { count: tasks.length, most: Math.max(...tasks.map(({ accepted }) => accepted)) } }


describe('an iteration that makes three runs at once', () => {
  const graph = (parallelism: unknown) => ({
    nodes: [{ id: 'all', kind: 'list' }, { id: 'each', kind: 'iterate', settings: { parallelism } }, { id: 'first', kind: 'generate', settings: { model: 'rehearsal-1' } }, { id: 'second', kind: 'generate', settings: { model: 'rehearsal-1', prompt: 'rehearse:slow' } },
      { id: 'beside', kind: 'iterate' }, { id: 'other', kind: 'generate', settings: { model: 'rehearsal-1' } }, { id: 'list', kind: 'collect' }, { id: 'out', kind: 'output', settings: { name: 'made' } }],
    edges: [wire('all.items', 'each.items'), wire('each.item', 'first.prompt'), wire('first.image', 'second.images'), wire('all.items', 'beside.items'), wire('beside.item', 'other.prompt'), wire('second.image', 'list.items'), wire('list.items', 'out.value')],
    inputs: [{ name: 'prompts', node: 'all', port: 'items' }],
  })

  test('never makes more, whoever makes them and whoever is killed, and buys each once', async () => {
    house.upstream.reset()
    const prompts = Array.from({ length: 16 }, (_, index) => `picture ${index} rehearse:slow`)
    const { body: begun } = await ask('POST', '/plantain/v1/executions', { graph: graph(3), inputs: { prompts } })
    const done = (count: number) => async () => (await rows<{ count: number }>(`select count(*)::int as count from node_run where execution_id = $1 and node = 'second' and state = 'done'`, [begun.id]))[0]!.count >= count
    await until(done(4), 'A quarter')
    await workers[0]!.kill()
    await until(done(8), 'Half of them')
    await workers[0]!.start()
    const ended = await until(async () => { const { body } = await ask('GET', `/plantain/v1/executions/${begun.id}`); return body.state !== 'running' && body }, 'The end')
    assert.deepEqual([ended.state, ended.outputs.made.length], ['done', 16], JSON.stringify(ended.problem))
    const [most] = await rows<{ inside: number; beside: number }>(`
      select max(inside)::int as inside, max(beside)::int as beside from (
        select sum(making) filter (where node in ('first', 'second')) as inside, sum(making) filter (where node = 'other') as beside from seen where execution_id = $1 group by moment) s`, [begun.id])
    assert.equal(most!.inside, 3)
    assert.ok(most!.beside > 3, `what is not inside it is not bounded by it: ${most!.beside}`)
    assert.deepEqual([bought(), await house.audit()], [{ count: 48, most: 1 }, []])
  })

  test('is said beforehand, and nonsense is refused with what may be said', async () => {
    for (const wrong of [0, 501, 1.5, 'four']) {
      const { status, body } = await ask('POST', '/plantain/v1/workflows/lint', graph(wrong))
      assert.deepEqual([status, body.ok, body.violations[0]?.node], [200, false, 'each'], `${wrong}`)
      assert.match(body.violations[0].message, /parallelism/)
    }
  })
})

describe('an execution that calls others', () => {
  const inner = {
    nodes: [{ id: 'all', kind: 'list' }, { id: 'each', kind: 'iterate' }, { id: 'words', kind: 'concat', settings: { text2: 'rehearse:slow' } }, { id: 'made', kind: 'generate', settings: { model: 'rehearsal-1' } }, { id: 'list', kind: 'collect' }, { id: 'out', kind: 'output', settings: { name: 'made' } }],
    edges: [wire('all.items', 'each.items'), wire('each.item', 'words.text1'), wire('words.text', 'made.prompt'), wire('made.image', 'list.items'), wire('list.items', 'out.value')],
    inputs: [{ name: 'prompts', node: 'all', port: 'items' }],
  }
  const calling = (workflow: string, into: string) => ({
    nodes: [{ id: 'all', kind: 'list' }, { id: 'each', kind: 'iterate' }, { id: 'call', kind: 'workflow', settings: { workflow, into } }, { id: 'list', kind: 'collect' }, { id: 'out', kind: 'output', settings: { name: 'made' } }],
    edges: [wire('all.items', 'each.items'), wire('each.item', 'call.value'), wire('call.value', 'list.items'), wire('list.items', 'out.value')],
    inputs: [{ name: 'lists', node: 'all', port: 'items' }],
  })

  test('makes as much at once as it may, all of them together and however deep, also when a worker is killed', async () => {
    house.upstream.reset()
    for (const [slug, graph] of [['makes', inner], ['calls', calling('makes', 'prompts')]] as const) assert.equal((await ask('POST', '/plantain/v1/workflows', { name: slug, slug, graph })).status, 201)
    const lists = Array.from({ length: 3 }, (_, one) => Array.from({ length: 2 }, (_, two) => Array.from({ length: 3 }, (_, three) => `picture ${one} ${two} ${three}`)))
    const { body: begun } = await ask('POST', '/plantain/v1/executions', { graph: calling('calls', 'lists'), inputs: { lists }, parallelism: 3 })
    const family = `with recursive f as (select id from execution where id = $1 union all select e.id from execution e join f on e.parent_id = f.id)`
    const done = (count: number) => async () => (await rows<{ count: number }>(`${family} select count(*)::int as count from node_run where execution_id in (select id from f) and node = 'made' and state = 'done'`, [begun.id]))[0]!.count >= count
    await until(done(4), 'Some of it')
    await workers[0]!.kill()
    await workers[0]!.start()
    const ended = await until(async () => { const { body } = await ask('GET', `/plantain/v1/executions/${begun.id}`); return body.state !== 'running' && body }, 'The end')
    assert.deepEqual([ended.state, ended.outputs.made.flat(2).length], ['done', 18], JSON.stringify(ended.problem))
    const [most] = await rows<{ made: number; calls: number }>(`${family}
      select max(made)::int as made, max(calls)::int as calls from (
        select sum(making) filter (where node <> 'call') as made, sum(making) filter (where node = 'call') as calls from seen where execution_id in (select id from f) group by moment) s`, [begun.id])
    assert.equal(most!.made, 3)
    assert.ok(most!.calls > 3, `calls of calls wait beside: ${most!.calls}`)
    assert.deepEqual([bought(), await house.audit()], [{ count: 18, most: 1 }, []])
  })
})

describe('executions of one call at Wireflow\'s door', () => {
  const nodes = [{ id: 'words', data: { nodeType: 'input:text', config: { prompt: 'x' } } }, { id: 'made', data: { nodeType: 'generate:rehearsal_1', config: {} } }]
  const edges = [{ source: 'words', target: 'made', sourceHandle: 'out-prompt', targetHandle: 'in-prompt' }]
  const execute = (iteratorConfigs: object[]) => ask('POST', '/api/v1/workflows/scratch/execute', { nodes, edges, iteratorConfigs })
  const items = (count: number) => Array.from({ length: count }, (_, index) => `picture ${index} rehearse:slow`)
  const statusOf = async (id: string) => (await ask('GET', `/api/v1/workflows/executions/${id}/poll`)).body.status

  test('are at work as many at once as the smallest maxConcurrency says, also when a worker is killed', async () => {
    house.upstream.reset()
    const { status, body } = await execute([{ nodeId: 'words', key: 'prompt', items: items(6), maxConcurrency: 2 }, { nodeId: 'made', key: 'aspect_ratio', items: ['1:1', '16:9'], maxConcurrency: 5 }])
    assert.deepEqual([status, body.executionRuns.length, body.warnings], [201, 12, undefined], JSON.stringify(body))
    const ids = body.executionRuns.map((one: any) => one.id)
    const ended = async () => (await Promise.all(ids.map(statusOf))).filter(one => one !== 'RUNNING')
    await until(async () => (await ended()).length >= 3, 'Some of them')
    await workers[1]!.kill()
    await workers[1]!.start()
    assert.deepEqual(new Set(await until(async () => { const all = await ended(); return all.length === 12 && all }, 'The end of all')), new Set(['COMPLETED']))
    const [most] = await rows<{ count: number }>('select max(count)::int as count from (select count(distinct execution_id) as count from seen where execution_id = any($1::uuid[]) group by moment) s', [ids])
    assert.equal(most!.count, 2)
    assert.deepEqual([bought(), await house.audit()], [{ count: 12, most: 1 }, []])
  })

  test('are refused where maxConcurrency is no number of executions, and nothing is begun', async () => {
    const [before] = await rows('select count(*)::int as count from execution')
    for (const maxConcurrency of [0, -1, 1.5, '2', [], true]) {
      const { status, body } = await execute([{ nodeId: 'words', key: 'prompt', items: items(2), maxConcurrency }])
      assert.equal(status, 400)
      assert.match(body.error, /maxConcurrency must be a whole number, 1 or more/)
    }
    assert.deepEqual(await rows('select count(*)::int as count from execution'), [before])
  })

  test('leave what nothing bounds alone', async () => {
    const bounded = await execute([{ nodeId: 'words', key: 'prompt', items: items(8), maxConcurrency: 1 }])
    const free = await execute([{ nodeId: 'words', key: 'prompt', items: items(4) }])
    await until(async () => (await Promise.all(free.body.executionRuns.map((one: any) => statusOf(one.id)))).every(one => one === 'COMPLETED'), 'The end of those that are free')
    await until(async () => (await Promise.all(bounded.body.executionRuns.map((one: any) => statusOf(one.id)))).every(one => one === 'COMPLETED'), 'The end of the others')
    const most = async (answer: any) => (await rows<{ count: number }>('select max(count)::int as count from (select count(distinct execution_id) as count from seen where execution_id = any($1::uuid[]) group by moment) s', [answer.body.executionRuns.map((one: any) => one.id)]))[0]!.count
    assert.equal(await most(bounded), 1)
    assert.ok(await most(free) > 1)
  })
})
