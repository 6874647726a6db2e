/** What is begun again, called inside, and only known while it runs: what is paid stays paid, caps and estimates count what is called, and lists have an end. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { testHouse, type TestHouse } from './kit/house.ts'
import { asking, wire } from './kit/workflow.ts'

let house: TestHouse
before(async () => { house = await testHouse() })
after(() => house?.close())

const ask = asking(() => house)
const settled = async (id: string) => { for (;;) { const { body } = await ask('GET', `/executions/${id}?wait=60`); if (body.state !== 'running') return body } }
const run = async (body: object) => { const begun = (await ask('POST', '/executions?wait=60', body)).body; assert.ok(begun.id, JSON.stringify(begun)); return begun.state === 'running' ? settled(begun.id) : begun }
const estimate = async (body: object) => (await ask('POST', '/executions/estimate', body)).body
const runsOf = async (id: string) => (await ask('GET', `/executions/${id}/runs?limit=1000`)).body.items as any[]
const count = async (table: 'task' | 'execution') => (await house.database.query<{ count: number }>(`select count(*)::int as count from ${table}`)).rows[0]!.count
const node = (id: string, kind: string, settings: object = {}) => ({ id, kind, settings })
const make = (id: string, settings: object = {}) => node(id, 'generate', { model: 'sandbox-1', parameters: { resolution: '512' }, ...settings })
const change = (id: string) => node(id, 'edit', { model: 'sandbox-1', prompt: 'make it night', parameters: { resolution: '512' } })

/** One picture a call. */
const inner = { nodes: [make('picture'), node('out', 'output', { name: 'picture' })], edges: [wire('picture.image', 'out.value')], inputs: [{ name: 'prompt', node: 'picture', port: 'prompt' }] }
const calling = (prompts: string[]) => ({
  nodes: [node('list', 'list', { items: prompts }), node('each', 'iterate'), node('call', 'workflow', { workflow: 'inner', into: 'prompt' }), node('all', 'collect'), node('out', 'output', { name: 'pictures' })],
  edges: [wire('list.items', 'each.items'), wire('each.item', 'call.value'), wire('call.value', 'all.items'), wire('all.items', 'out.value')],
})

describe('a workflow that is called', () => {
  before(async () => { assert.equal((await ask('POST', '/workflows', { name: 'Inner', slug: 'inner', graph: inner })).status, 201) })

  test('is in the estimate, in the cost and on its run, and taken from before the second time', async () => {
    const body = { graph: calling(['a cello', 'a viola']) }
    const plan = await estimate(body)
    assert.deepEqual(plan.warnings, [])
    assert.deepEqual([plan.price_min.micros, plan.price_max.micros, plan.steps.find((step: any) => step.node === 'call').price_max.micros], [2_000, 2_000, 2_000])
    const first = await run(body)
    assert.deepEqual([first.state, first.cost.micros, (await runsOf(first.id)).filter(one => one.node === 'call').map(one => one.cost.micros)], ['done', 2_000, [1_000, 1_000]])
    const again = await estimate(body)
    assert.deepEqual([again.price_min.micros, again.price_max.micros], [0, 0])
    assert.equal((await run(body)).cost.micros, 0)
    assert.equal((await estimate({ ...body, force: true })).price_min.micros, 2_000)
    assert.equal((await run({ ...body, force: true })).cost.micros, 2_000)
    assert.deepEqual(await house.audit(), [])
  })

  test('is never begun for an execution that was cancelled meanwhile, and cannot go on without it', async () => {
    const before = await count('execution')
    const tasks = await count('task')
    const [locked, open] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    // What is called is begun under a key: it stands before this lock while its caller is cancelled.
    const gate = house.database.transaction(async client => { await client.query('lock table execution_key in share row exclusive mode'); locked.resolve(); await open.promise })
    await locked.promise
    const { body: begun } = await ask('POST', '/executions', { graph: calling(['a flute']) })
    while ((await house.database.query(`select from pg_stat_activity where wait_event_type = 'Lock' and query like '%execution_key%'`)).rowCount === 0);
    assert.equal((await ask('POST', `/executions/${begun.id}/cancel`)).body.state, 'cancelled')
    open.resolve()
    await gate
    // Another one, begun after it through the same gate, has ended: so has whatever was to come of the first.
    assert.equal((await run({ graph: calling(['a tuba']) })).state, 'done')
    assert.deepEqual([await count('execution') - before, await count('task') - tasks], [3, 1])
    assert.deepEqual((await runsOf(begun.id)).filter(one => one.node === 'call').map(one => one.state), ['cancelled'])
    assert.deepEqual(await house.audit(), [])
  })

  test('that lives on although its caller is cancelled is found and stopped', async () => {
    const { body: begun } = await ask('POST', '/executions', { graph: calling(['a gong sandbox:slow=60s']) })
    const child = await (async () => { for (;;) { const found = (await runsOf(begun.id)).find(one => one.execution !== null); if (found) return found.execution as string } })()
    // As a process leaves it that dies between beginning what is called and writing it down.
    await house.database.query(`update node_run set child_id = null, state = 'cancelled', turn = turn + 1 where execution_id = $1 and child_id is not null`, [begun.id])
    await house.database.query(`update execution set state = 'cancelled', open = 0, ended_at = now() where id = $1`, [begun.id])
    assert.equal((await ask('GET', `/executions/${child}?wait=30`)).body.state, 'cancelled')
    assert.deepEqual(await house.audit(), [])
  })

  test('spends under the cap of whoever called it, however many are called at once', async () => {
    const body = { graph: calling(['a harp', 'a lute', 'a drum', 'a bell']), cost_max_micros: 2_000 }
    assert.deepEqual((await estimate(body)).warnings, ['This comes to up to $0.004, and it may cost $0.002: what would go beyond that is not bought.'])
    const capped = await run(body)
    assert.deepEqual([capped.cost.micros, capped.outputs.pictures.length, (await runsOf(capped.id)).filter(one => one.state === 'failed').map(one => one.problem.code)], [2_000, 2, ['credits_required', 'credits_required']])
    const before = await count('execution')
    assert.equal((await ask('POST', `/executions/${capped.id}/resume`, { cost_max_micros: null })).status, 200)
    const ended = await settled(capped.id)
    assert.deepEqual([ended.state, ended.cost.micros, ended.outputs.pictures.length], ['done', 4_000, 4])
    assert.equal(await count('execution'), before, 'what was called goes on where it stopped')
    assert.deepEqual(await house.audit(), [])
  })

  test('goes on at what failed in it, and pays nothing twice, with earlier results unwanted', async () => {
    await ask('POST', '/workflows', { name: 'Two', slug: 'two', graph: { nodes: [make('good'), make('bad', { prompt: 'a plum sandbox:fail=501' }), node('out', 'output', { name: 'good' }), node('out2', 'output', { name: 'bad' })], edges: [wire('good.image', 'out.value'), wire('bad.image', 'out2.value')], inputs: [{ name: 'prompt', node: 'good', port: 'prompt' }] } })
    const failed = await run({ graph: { nodes: [node('call', 'workflow', { workflow: 'two', inputs: { prompt: 'a fig' } })], edges: [] }, force: true })
    assert.deepEqual([failed.state, failed.cost.micros], ['failed', 1_000])
    const tasks = await count('task')
    await ask('POST', `/executions/${failed.id}/resume`, {})
    const ended = await settled(failed.id)
    assert.deepEqual([ended.state, ended.cost.micros, await count('task') - tasks], ['failed', 1_000, 1])
  })

  test('is the published one', async () => {
    await ask('POST', '/workflows', { name: 'Versioned', slug: 'versioned', graph: { nodes: [node('say', 'text', { text: 'published' }), node('out', 'output', { name: 'word' })], edges: [wire('say.text', 'out.value')] } })
    await ask('POST', '/workflows/versioned/publish', {})
    await ask('PATCH', '/workflows/versioned', { graph: { nodes: [node('say', 'text', { text: 'draft' }), node('out', 'output', { name: 'word' })], edges: [wire('say.text', 'out.value')] } })
    const one = await run({ graph: { nodes: [node('call', 'workflow', { workflow: 'versioned' }), node('out', 'output', { name: 'word' })], edges: [wire('call.value', 'out.value')] } })
    assert.equal(one.outputs.word, 'published')
  })

  test('with a mistake is told of before anything is begun', async () => {
    const before = await count('execution')
    await ask('POST', '/workflows', { name: 'Self', slug: 'self', graph: { nodes: [node('call', 'workflow', { workflow: 'self' })], edges: [] } })
    const check = async (settings: object, status: number, words: RegExp) => {
      for (const path of ['/executions/estimate', '/executions']) {
        const refused = await ask('POST', path, { graph: { nodes: [make('first', { prompt: 'a lime' }), node('call', 'workflow', settings)], edges: [] } })
        assert.equal(refused.status, status, JSON.stringify(refused.body))
        assert.match(refused.body.error.message, words)
      }
    }
    await check({ workflow: 'nowhere' }, 404, /^call: There is no such workflow/)
    await check({ workflow: 'inner', inputs: { promt: 'x' } }, 400, /^call: .*Did you mean prompt/)
    await check({ workflow: 'inner' }, 400, /^call: The input prompt is missing/)
    await check({ workflow: 'self' }, 400, /more than 8 deep/)
    assert.equal(await count('execution'), before)
  })
})

describe('made again', () => {
  test('what hangs on it beside the review is bought anew, once', async () => {
    const graph = { nodes: [make('a'), node('ok', 'approval'), change('b'), node('out', 'output', { name: 'chosen' }), node('out2', 'output', { name: 'night' })], edges: [wire('a.images', 'ok.candidates'), wire('a.image', 'b.image'), wire('ok.image', 'out.value'), wire('b.image', 'out2.value')], inputs: [{ name: 'prompt', node: 'a', port: 'prompt' }] }
    const execution = await run({ graph, inputs: { prompt: 'a pot' } })
    const night = (await runsOf(execution.id)).find(one => one.node === 'b')
    const [review] = (await ask('GET', `/reviews?state=open&execution=${execution.id}`)).body.items
    assert.equal((await ask('POST', `/reviews/${review.id}`, { action: 'redo', prompt: 'a jar' })).status, 200)
    const waiting = await settled(execution.id)
    const runs = await runsOf(execution.id)
    assert.deepEqual([waiting.state, runs.filter(one => one.state === 'failed').map(one => one.problem)], ['waiting_for_review', []])
    assert.notEqual(runs.find(one => one.node === 'b').task, night.task)
    assert.equal(waiting.cost.micros, 4_000)
    assert.deepEqual(await house.audit(), [])
  })

  test('after one item more, what was made of the list is bought anew; where the list is the same, it stands', async () => {
    const graph = {
      nodes: [node('list', 'list'), node('each', 'iterate'), make('a'), node('all', 'collect'), node('b', 'edit', { model: 'sandbox-1', prompt: 'put them side by side', parameters: { resolution: '512' } }), node('first', 'pick'), node('out', 'output', { name: 'together' })],
      edges: [wire('list.items', 'each.items'), wire('each.item', 'a.prompt'), wire('a.image', 'all.items'), wire('all.items', 'first.list'), wire('first.value', 'b.image'), wire('b.image', 'out.value')],
      inputs: [{ name: 'prompts', node: 'list', port: 'items' }],
    }
    const failing = await run({ graph, inputs: { prompts: ['a date sandbox:fail=501', 'a kiwi'] } })
    assert.deepEqual([failing.state, failing.cost.micros], ['done', 2_000])
    const tasks = await count('task')
    await ask('POST', `/executions/${failing.id}/resume`, {})
    const ended = await settled(failing.id)
    const together = (await runsOf(failing.id)).find(one => one.node === 'b')
    assert.deepEqual([ended.state, ended.cost.micros, together.reused, together.because, await count('task') - tasks], ['done', 2_000, true, 'it was made of the same before', 1])
    assert.deepEqual(await house.audit(), [])
  })

  test('where more comes this time, what was made of less is not taken and not in the way', async () => {
    const graph = {
      nodes: [make('a'), make('c', { prompt: 'a rose', parameters: { resolution: '512', count: 4 } }), node('m', 'merge'), change('b'), node('out', 'output', { name: 'o' })],
      edges: [wire('c.image', 'm.values'), wire('a.image', 'm.values'), wire('m.value', 'b.image'), wire('b.image', 'out.value')], inputs: [{ name: 'prompt', node: 'a', port: 'prompt' }],
    }
    const one = await run({ graph, inputs: { prompt: 'a leaf' }, cost_max_micros: 3_000 })
    const less = await runsOf(one.id)
    assert.deepEqual([one.cost.micros, ...['c', 'b'].map(id => less.find(found => found.node === id).state)], [2_000, 'failed', 'done'])
    assert.equal((await ask('POST', `/executions/${one.id}/resume`, { cost_max_micros: null })).status, 200)
    const ended = await settled(one.id)
    const more = (await runsOf(one.id)).find(found => found.node === 'b')
    assert.deepEqual([ended.state, ended.cost.micros, more.state, more.reused], ['done', 7_000, 'done', false])
    assert.notEqual(more.task, less.find(found => found.node === 'b').task)
    assert.deepEqual(await house.audit(), [])
  })

  test('refused where nothing failed, and its cap is what it was', async () => {
    const one = await run({ graph: inner, inputs: { prompt: 'a quince' }, cost_max_micros: 5_000 })
    assert.equal((await ask('POST', `/executions/${one.id}/resume`, { cost_max_micros: 9_000 })).status, 409)
    assert.equal((await ask('GET', `/executions/${one.id}`)).body.cost_max.micros, 5_000)
  })
})

test('what an estimate says of each step is what the run does and why', async () => {
  const graph = {
    nodes: [node('list', 'list', { items: ['quill', 'inkpot'] }), node('each', 'iterate'), node('words', 'template', { template: 'a {{thing}}', names: ['thing'] }), make('picture'), node('small', 'resize', { width: 60 }), node('all', 'collect'), node('out', 'output', { name: 'all' })],
    edges: [wire('list.items', 'each.items'), wire('each.item', 'words.value1'), wire('words.text', 'picture.prompt'), wire('picture.image', 'small.image'), wire('small.image', 'all.items'), wire('all.items', 'out.value')],
  }
  const check = async (body: object) => {
    const plan = await estimate(body)
    const runs = await runsOf((await run(body)).id)
    for (const { node: id, does, times, because } of plan.steps) {
      const own = runs.filter(one => one.node === id)
      assert.deepEqual([id, own.every(one => one.reused) ? 'reuse' : own.some(one => one.reused) ? 'some' : 'run', own.length], [id, does, times])
      if (because !== 'what goes in is made by the run') assert.ok(own.some(one => one.because === because), `${id}: ${because}, and not ${own.map(one => one.because)}`)
    }
  }
  await check({ graph })
  await check({ graph })
  await check({ graph, force: true })
  await check({ graph, target: 'small' })
})

describe('what only the run can tell', () => {
  const branch = {
    nodes: [make('first'), node('say', 'describe'), node('is', 'condition', { test: 'contains', against: 'zzz' }), make('a'), make('b'), node('either', 'merge'), node('out', 'output', { name: 'p' })],
    edges: [wire('first.image', 'say.image'), wire('say.text', 'is.value'), wire('is.yes', 'a.prompt'), wire('is.no', 'b.prompt'), wire('a.image', 'either.values'), wire('b.image', 'either.values'), wire('either.value', 'out.value')],
    inputs: [{ name: 'prompt', node: 'first', port: 'prompt' }],
  }
  test('is not counted as certain, with earlier results unwanted neither', async () => {
    const body = { graph: branch, inputs: { prompt: 'a red apple' }, force: true }
    const plan = await estimate(body)
    assert.deepEqual(['first', 'say', 'a', 'b', 'either'].map(id => { const { does, times } = plan.steps.find((step: any) => step.node === id); return [id, does, times] }), [['first', 'run', 1], ['say', 'run', 1], ['a', 'unknown', null], ['b', 'unknown', null], ['either', 'unknown', null]])
    const { cost } = await run(body)
    assert.ok(cost.micros >= plan.price_min.micros && cost.micros <= plan.price_max.micros, `${plan.price_min.micros} ≤ ${cost.micros} ≤ ${plan.price_max.micros}`)
  })
  test('behind a review nothing is certain', async () => {
    const plan = await estimate({ graph: { nodes: [make('a', { prompt: 'a nut' }), node('ok', 'approval'), change('b')], edges: [wire('a.images', 'ok.candidates'), wire('ok.image', 'b.image')] }, force: true })
    assert.deepEqual([plan.price_min.micros, plan.price_max.micros], [1_000, 2_000])
  })
})

describe('lists', () => {
  const side = (a: string[], b: string[], groups: [string, string]) => ({
    nodes: [make('first', { prompt: 'a melon' }), node('la', 'list', { items: a }), node('lb', 'list', { items: b }), node('a', 'iterate', { group: groups[0] }), node('b', 'iterate', { group: groups[1] }), node('t', 'concat')],
    edges: [wire('la.items', 'a.items'), wire('lb.items', 'b.items'), wire('a.item', 't.text1'), wire('b.item', 't.text2')],
  })
  const numbers = (length: number) => Array.from({ length }, (_, index) => String(index))
  test('that are known and do not go together are refused before anything is bought', async () => {
    const before = [await count('execution'), await count('task')]
    const check = async (graph: object, words: RegExp) => {
      for (const path of ['/executions/estimate', '/executions']) {
        const refused = await ask('POST', path, { graph })
        assert.equal(refused.status, 400)
        assert.match(refused.body.error.message, words)
      }
    }
    await check(side(['x', 'y'], ['z'], ['g', 'g']), /not equally long/)
    await check(side(numbers(101), numbers(100), ['g', 'h']), /more than 10,000 combinations/)
    assert.deepEqual([await count('execution'), await count('task')], before)
    const most = await estimate({ graph: side(numbers(100), numbers(100), ['g', 'h']) })
    assert.equal(most.steps.find((step: any) => step.node === 't').times, 10_000)
  })
  test('that the run makes are refused by it', async () => {
    // A node that computes on a picture is not foreseen, so neither are the lists that hang on it.
    const later = (lists: [number, number], groups: [string, string]) => ({
      nodes: [make('p', { prompt: 'a pear' }), node('s', 'compare', { first_run: 'approve', baseline: 'lists' }), node('ta', 'template', { template: JSON.stringify(numbers(lists[0])) }), node('tb', 'template', { template: JSON.stringify(numbers(lists[1])) }),
        node('ea', 'extract', { paths: ['$'] }), node('eb', 'extract', { paths: ['$'] }), node('a', 'iterate', { group: groups[0] }), node('b', 'iterate', { group: groups[1] }), node('t', 'concat')],
      edges: [wire('p.image', 's.image'), wire('s.report', 'ta.value1'), wire('s.report', 'tb.value1'), wire('ta.text', 'ea.from'), wire('tb.text', 'eb.from'), wire('ea.items', 'a.items'), wire('eb.items', 'b.items'), wire('a.item', 't.text1'), wire('b.item', 't.text2')],
    })
    const unequal = await run({ graph: later([2, 3], ['g', 'g']) })
    assert.deepEqual([unequal.state, unequal.problem.code], ['failed', 'bad_request'])
    assert.match(unequal.problem.message, /not equally long/)
    const many = await run({ graph: later([200, 100], ['g', 'h']) })
    assert.equal(many.state, 'failed')
    assert.match(many.problem.message, /more than 10,000 combinations/)
    assert.equal((await runsOf(many.id)).filter(one => one.node === 't' && one.state === 'done').length, 0)
  })
})
