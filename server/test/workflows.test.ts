/** Workflows from outside: saved, planned, run, killed, answered and resumed over HTTP. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { testHouse, type TestHouse } from './kit/house.ts'
import { farCron, youngMinute } from './kit/minute.ts'
import { asking, wire } from './kit/workflow.ts'

let house: TestHouse
before(async () => { house = await testHouse() })
after(() => house?.close())

const ask = asking(() => house)
const run = async (body: object, headers: Record<string, string> = {}) => (await ask('POST', '/executions?wait=60', body, { headers })).body
const runsOf = async (id: string, query = '') => (await ask('GET', `/executions/${id}/runs?limit=1000${query}`)).body.items as any[]
const runOf = async (id: string, node: string, item: number[] = []) => (await runsOf(id, `&node=${node}`)).find(one => one.item.join() === item.join())
const tasksMade = async () => (await house.database.query<{ count: number }>('select count(*)::int as count from task')).rows[0]!.count
const small = { resolution: '512' }
const make = (id: string, settings: object = {}) => ({ id, kind: 'generate', settings: { model: 'sandbox-1', parameters: small, ...settings } })

/** A prompt, a picture, a smaller one. */
const chain = {
  nodes: [make('picture'), { id: 'small', kind: 'resize', settings: { width: 100 } }, { id: 'out', kind: 'output', settings: { name: 'thumb' } }],
  edges: [wire('picture.image', 'small.image'), wire('small.image', 'out.value')],
  inputs: [{ name: 'prompt', node: 'picture', port: 'prompt' }],
}
/** A picture for each prompt. */
const each = {
  nodes: [{ id: 'all', kind: 'list', settings: {} }, { id: 'one', kind: 'iterate', settings: {} }, make('picture'), { id: 'pictures', kind: 'collect', settings: {} }, { id: 'out', kind: 'output', settings: { name: 'pictures' } }],
  edges: [wire('all.items', 'one.items'), wire('one.item', 'picture.prompt'), wire('picture.image', 'pictures.items'), wire('pictures.items', 'out.value')],
  inputs: [{ name: 'prompts', node: 'all', port: 'items' }],
}
const reviewed = {
  nodes: [make('picture', { parameters: { ...small, count: 2 } }), { id: 'choice', kind: 'approval', settings: { note: 'Which one?' } }, { id: 'out', kind: 'output', settings: { name: 'chosen' } }],
  edges: [wire('picture.images', 'choice.candidates'), wire('choice.image', 'out.value')],
  inputs: [{ name: 'prompt', node: 'picture', port: 'prompt' }],
}

describe('a saved workflow', () => {
  test('is written with its revision, published as versions and run by its slug', async () => {
    const saved = await ask('POST', '/workflows', { name: 'A thumb of anything', graph: chain })
    assert.deepEqual([saved.status, saved.body.slug, saved.body.revision, saved.body.published], [201, 'a-thumb-of-anything', 1, null])
    assert.deepEqual(saved.body.graph, { ...chain, nodes: chain.nodes.map(one => ({ ...one })) })
    const changed = await ask('PATCH', '/workflows/a-thumb-of-anything', { description: 'Small pictures', revision: 1 })
    assert.deepEqual([changed.status, changed.body.revision], [200, 2])
    assert.equal((await ask('PATCH', '/workflows/a-thumb-of-anything', { description: 'late', revision: 1 })).status, 409)
    const version = await ask('POST', '/workflows/a-thumb-of-anything/publish', { name: 'production' })
    assert.deepEqual([version.body.number, version.body.name], [1, 'production'])
    const other = { ...chain, nodes: chain.nodes.map(one => one.id === 'small' ? { ...one, settings: { width: 50 } } : one) }
    assert.equal((await ask('PATCH', '/workflows/a-thumb-of-anything', { graph: other })).status, 200)
    const published = await run({ workflow: 'a-thumb-of-anything', inputs: { prompt: 'a red apple' } })
    const draft = await run({ workflow: 'a-thumb-of-anything', version: 'draft', inputs: { prompt: 'a red apple' } })
    assert.deepEqual([published.state, published.version, published.outputs.thumb.width, draft.outputs.thumb.width], ['done', 1, 100, 50])
    assert.equal((await (await fetch(published.outputs.thumb.url)).arrayBuffer()).byteLength > 100, true)
    assert.deepEqual((await ask('GET', '/workflows/a-thumb-of-anything/versions')).body.items.map((one: any) => one.name), ['production'])
    assert.equal((await ask('DELETE', '/workflows/a-thumb-of-anything')).status, 204)
    assert.equal((await ask('GET', '/workflows/a-thumb-of-anything')).status, 404)
    assert.equal((await ask('GET', `/executions/${published.id}`)).body.state, 'done')
  })

  test('with mistakes is refused with all of them, and nothing is saved', async () => {
    const graph = { nodes: [make('picture'), { id: 'small', kind: 'resise', settings: {} }], edges: [wire('picture.picture', 'small.image')] }
    const refused = await ask('POST', '/workflows', { name: 'Wrong', graph })
    assert.equal(refused.status, 400)
    assert.deepEqual(refused.body.error.violations.map((one: any) => one.rule).sort(), ['missing-value', 'unknown-kind'])
    assert.equal((await ask('GET', '/workflows/wrong')).status, 404)
    assert.deepEqual((await ask('POST', '/workflows/lint', graph)).body.ok, false)
  })
})

describe('a run', () => {
  test('costs what its plan said, and the second time nothing', async () => {
    const body = { graph: each, inputs: { prompts: ['a green pear', 'a blue sphere', 'a yellow cube'] } }
    const plan = (await ask('POST', '/executions/estimate', body)).body
    const picture = plan.steps.find((step: any) => step.node === 'picture')
    assert.deepEqual([picture.does, picture.times, plan.price_min.micros, plan.price_max.micros], ['run', 3, 3_000, 3_000])
    const first = await run(body)
    assert.deepEqual([first.state, first.cost.micros, first.outputs.pictures.length], ['done', 3_000, 3])
    const before = await tasksMade()
    const again = (await ask('POST', '/executions/estimate', body)).body
    assert.deepEqual([again.steps.find((step: any) => step.node === 'picture').does, again.price_max.micros], ['reuse', 0])
    assert.match(again.steps.find((step: any) => step.node === 'picture').because, new RegExp(first.id))
    const second = await run(body)
    assert.deepEqual([second.state, second.cost.micros, await tasksMade()], ['done', 0, before])
    assert.deepEqual(second.outputs.pictures.map((one: any) => one.sha256), first.outputs.pictures.map((one: any) => one.sha256))
    assert.equal((await runOf(second.id, 'picture', [0])).reused, true)
    const forced = await run({ ...body, force: true })
    assert.equal(forced.cost.micros, 3_000)
    assert.deepEqual(await house.audit(), [])
  })

  test('of some new items buys only those', async () => {
    const first = await run({ graph: each, inputs: { prompts: ['a mug', 'a plate'] } })
    const body = { graph: each, inputs: { prompts: ['a spoon', 'a plate', 'a mug'] } }
    assert.equal((await ask('POST', '/executions/estimate', body)).body.steps.find((step: any) => step.node === 'picture').does, 'some')
    const second = await run(body)
    assert.deepEqual([second.cost.micros, second.outputs.pictures[2].sha256], [1_000, first.outputs.pictures[0].sha256])
  })

  test('keeps a failure with its item, and resumes it alone', async () => {
    const first = await run({ graph: each, inputs: { prompts: ['a lamp', 'a chair sandbox:fail=501', 'a table'] } })
    assert.deepEqual([first.state, first.runs.failed, first.outputs.pictures.length, first.cost.micros], ['done', 1, 2, 2_000])
    const before = await tasksMade()
    const resumed = await ask('POST', `/executions/${first.id}/resume`, {})
    assert.equal(resumed.status, 200)
    const ended = (await ask('GET', `/executions/${first.id}?wait=60`)).body
    assert.deepEqual([ended.state, ended.outputs.pictures.length, await tasksMade() - before, (await runOf(first.id, 'picture', [1])).attempt, (await runOf(first.id, 'picture', [0])).attempt], ['done', 2, 1, 2, 1])
    assert.equal((await ask('POST', `/executions/${first.id}/resume`, { node: 'out' })).status, 409)
  })

  test('stops at its cap, keeps what is paid, and goes on when the cap is raised', async () => {
    const body = { graph: each, inputs: { prompts: ['a ship', 'a boat', 'a raft', 'a canoe'] }, cost_max_micros: 2_500, parallelism: 1 }
    const capped = await run(body)
    assert.deepEqual([capped.runs.failed, capped.cost.micros, capped.outputs.pictures.length], [2, 2_000, 2])
    assert.equal((await runsOf(capped.id, '&state=failed'))[0].problem.code, 'credits_required')
    await ask('POST', `/executions/${capped.id}/resume`, { cost_max_micros: null })
    const ended = (await ask('GET', `/executions/${capped.id}?wait=60`)).body
    assert.deepEqual([ended.state, ended.cost.micros, ended.outputs.pictures.length], ['done', 4_000, 4])
    assert.deepEqual(await house.audit(), [])
  })

  test('of a target runs what it needs and nothing else', async () => {
    const one = await run({ graph: chain, inputs: { prompt: 'a bell' }, target: 'picture' })
    assert.deepEqual((await runsOf(one.id)).map(found => found.node), ['picture'])
  })

  test('with the same key is begun once', async () => {
    const body = { graph: chain, inputs: { prompt: 'a drum' } }
    const [one, two] = await Promise.all([1, 2].map(() => run(body, { 'idempotency-key': 'drum' })))
    assert.equal(one.id, two.id)
    assert.equal((await ask('POST', '/executions', { ...body, inputs: { prompt: 'a trumpet' } }, { headers: { 'idempotency-key': 'drum' } })).status, 422)
  })

  test('skips what nothing comes to, and goes on elsewhere', async () => {
    const graph = {
      nodes: [{ id: 'word', kind: 'text', settings: { text: 'night' } }, { id: 'is', kind: 'condition', settings: { test: 'is', against: 'day' } }, make('day'), make('night'), { id: 'either', kind: 'merge', settings: {} }, { id: 'out', kind: 'output', settings: { name: 'picture' } }],
      edges: [wire('word.text', 'is.value'), wire('is.yes', 'day.prompt'), wire('is.no', 'night.prompt'), wire('day.image', 'either.values'), wire('night.image', 'either.values'), wire('either.value', 'out.value')],
    }
    const one = await run({ graph })
    assert.deepEqual([one.state, (await runOf(one.id, 'day')).state, (await runOf(one.id, 'night')).state, one.outputs.picture.width], ['done', 'skipped', 'done', 512])
  })

  test('calls another workflow', async () => {
    await ask('POST', '/workflows', { name: 'Called', slug: 'called', graph: chain })
    const graph = { nodes: [{ id: 'call', kind: 'workflow', settings: { workflow: 'called', inputs: { prompt: 'a harp' } } }, { id: 'out', kind: 'output', settings: { name: 'thumb' } }], edges: [wire('call.value', 'out.value')] }
    const one = await run({ graph })
    assert.deepEqual([one.state, one.outputs.thumb.width], ['done', 100])
  })

  test('cancelled frees what it held and keeps what it made', async () => {
    const begun = (await ask('POST', '/executions', { graph: each, inputs: { prompts: ['a flute sandbox:slow=30s', 'a horn'] } })).body
    for (;;) { const found = await runOf(begun.id, 'picture', [1]); if (found?.state === 'done') break; await new Promise(resolve => { setTimeout(resolve, 20) }) }
    const cancelled = (await ask('POST', `/executions/${begun.id}/cancel`)).body
    assert.deepEqual([cancelled.state, cancelled.cost.micros], ['cancelled', 1_000])
    const { task } = await runOf(begun.id, 'picture', [0])
    assert.equal((await ask('GET', `/tasks/${task}`)).body.state, 'cancelled')
    assert.deepEqual(await house.audit(), [])
  })
})

describe('a person', () => {
  const begin = async (prompt: string) => {
    const execution = await run({ graph: reviewed, inputs: { prompt } })
    assert.equal(execution.state, 'waiting_for_review')
    const [review] = (await ask('GET', `/reviews?state=open&execution=${execution.id}`)).body.items
    return { execution, review }
  }
  test('chooses among candidates, and who and when is on record', async () => {
    const { execution, review } = await begin('a blue door')
    assert.deepEqual([review.candidates.length, review.note], [2, 'Which one?'])
    assert.equal((await ask('POST', `/reviews/${review.id}`, { action: 'approve', chosen: [2] })).status, 400)
    const answered = (await ask('POST', `/reviews/${review.id}`, { action: 'approve', chosen: [1] })).body
    assert.deepEqual([answered.state, answered.chosen, answered.decided_by], ['approved', [1], 'Test'])
    const ended = (await ask('GET', `/executions/${execution.id}?wait=60`)).body
    assert.deepEqual([ended.state, ended.outputs.chosen.sha256], ['done', review.candidates[1].sha256])
    assert.equal((await ask('POST', `/reviews/${review.id}`, { action: 'approve' })).status, 409)
  })
  test('edits the prompt and has it made again', async () => {
    const { execution, review } = await begin('a closed gate')
    assert.equal((await ask('POST', `/reviews/${review.id}`, { action: 'redo', prompt: 'an open gate' })).body.state, 'redone')
    const waiting = (await ask('GET', `/executions/${execution.id}?wait=60`)).body
    assert.equal(waiting.state, 'waiting_for_review')
    const [second] = (await ask('GET', `/reviews?state=open&execution=${execution.id}`)).body.items
    assert.notEqual(second.candidates[0].sha256, review.candidates[0].sha256)
    const { task } = await runOf(execution.id, 'picture')
    assert.equal((await ask('GET', `/tasks/${task}`)).body.prompt, 'an open gate')
    await ask('POST', `/reviews/${second.id}`, { action: 'approve' })
    assert.deepEqual((await ask('GET', `/executions/${execution.id}?wait=60`)).body.state, 'done')
  })
  test('says no, and nothing follows', async () => {
    const { execution, review } = await begin('a broken vase')
    assert.equal((await ask('POST', `/reviews/${review.id}`, { action: 'reject' })).status, 400)
    await ask('POST', `/reviews/${review.id}`, { action: 'reject', reason: 'Not our style' })
    const ended = (await ask('GET', `/executions/${execution.id}?wait=60`)).body
    assert.deepEqual([ended.state, ended.outputs, (await runOf(execution.id, 'out')).state], ['done', {}, 'skipped'])
  })
})

describe('nobody answers in time', () => {
  const late = async (on_timeout: 'approve' | 'reject', prompt: string) => {
    const graph = { ...reviewed, nodes: reviewed.nodes.map(one => one.kind === 'approval' ? { ...one, settings: { timeout_hours: 24, on_timeout } } : one) }
    const execution = await run({ graph, inputs: { prompt } })
    const [review] = (await ask('GET', `/reviews?state=open&execution=${execution.id}`)).body.items
    const { url } = (await ask('POST', `/reviews/${review.id}/link`, {})).body
    assert.ok(new Date(review.due_at).getTime() - Date.now() > 23 * 3_600_000)
    await house.database.query(`update review set due_at = now() - interval '1 second' where id = $1`, [review.id])
    let ended: any
    do ended = (await ask('GET', `/executions/${execution.id}?wait=5`)).body; while (ended.state === 'waiting_for_review' || ended.state === 'running')
    return { ended, review: (await ask('GET', `/reviews/${review.id}`)).body, candidates: review.candidates, url }
  }
  test('and the first candidate is taken where that was said; the clock is on record', async () => {
    const { ended, review, candidates, url } = await late('approve', 'a slow snail')
    assert.deepEqual([ended.state, ended.outputs.chosen.sha256], ['done', candidates[0].sha256])
    assert.deepEqual([review.state, review.chosen, review.decided_by, typeof review.decided_at], ['approved', [0], 'the clock', 'string'])
    assert.equal((await fetch(url, { method: 'POST', body: new URLSearchParams({ action: 'approve', chosen: '1' }) })).status, 409)
  })
  test('and nothing follows otherwise', async () => {
    const { ended, review } = await late('reject', 'a slow tortoise')
    assert.deepEqual([ended.state, ended.outputs, (await runOf(ended.id, 'out')).state], ['done', {}, 'skipped'])
    assert.deepEqual([review.state, review.reason, review.decided_by], ['rejected', 'Nobody answered in time.', 'the clock'])
  })
})

describe('refused, and nothing is begun', () => {
  const count = async () => (await house.database.query<{ count: number }>('select count(*)::int as count from execution')).rows[0]!.count
  const cases: [string, object, number, RegExp][] = [
    ['neither workflow nor graph', {}, 400, /graph/],
    ['a workflow that is not there', { workflow: 'nowhere' }, 404, /no such workflow/],
    ['an input it does not have', { graph: chain, inputs: { promt: 'x' } }, 400, /Did you mean prompt/],
    ['an input that is missing', { graph: chain }, 400, /prompt is missing/],
    ['an input of another type', { graph: chain, inputs: { prompt: { a: 1 } } }, 400, /does not fit/],
    ['a model that is not there', { graph: { ...chain, nodes: [make('picture', { model: 'nano-banna' }), ...chain.nodes.slice(1)] }, inputs: { prompt: 'x' } }, 404, /nano-banna/],
    ['a parameter the model has not', { graph: { ...chain, nodes: [make('picture', { parameters: { colour: 'red' } }), ...chain.nodes.slice(1)] }, inputs: { prompt: 'x' } }, 400, /colour/],
    ['a target that is not there', { graph: chain, inputs: { prompt: 'x' }, target: 'nobody' }, 400, /no node nobody/],
    ['too much at once', { graph: chain, inputs: { prompt: 'x' }, parallelism: 5_000 }, 400, /500/],
    ['a field nobody knows', { graph: chain, inputs: { prompt: 'x' }, priority: 'high' }, 400, /priority/],
    ['lists that are not equally long', { graph: { nodes: [{ id: 'a', kind: 'iterate', settings: { items: ['x', 'y'], group: 'g' } }, { id: 'b', kind: 'iterate', settings: { items: ['x'], group: 'g' } }], edges: [] } }, 400, /not equally long/],
  ]
  for (const [what, body, status, words] of cases) test(what, async () => {
    const before = await count()
    const refused = await ask('POST', '/executions', body)
    assert.equal(refused.status, status, JSON.stringify(refused.body))
    assert.match(refused.body.error.message, words)
    assert.equal(await count(), before)
  })
  test('what belongs to somebody else', async () => {
    const mine = await run({ graph: chain, inputs: { prompt: 'a key' } })
    const other = await house.newAccount()
    for (const path of [`/executions/${mine.id}`, `/executions/${mine.id}/runs`, '/workflows/called']) {
      assert.equal((await fetch(`${house.url}/plantain/v1${path}`, { headers: { authorization: `Bearer ${other.testKey}` } })).status, 404, path)
    }
    assert.equal((await fetch(`${house.url}/plantain/v1/executions/${mine.id}`, { headers: { authorization: `Bearer ${house.liveKey}` } })).status, 404)
  })
})

describe('from outside', () => {
  const saved = async (slug: string, graph: object) => { const { body } = await ask('POST', '/workflows', { name: slug, slug, graph }); return body.id as string }
  test('a webhook runs it without a key, fills what it names, keeps its limit and can be switched off', async () => {
    await saved('hooked', chain)
    await youngMinute()
    const trigger = (await ask('POST', '/workflows/hooked/triggers', { kind: 'webhook', per_minute: 3 })).body
    const fire = (url: string, body: unknown, headers = {}) => fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
    const first = await fire(trigger.url, { prompt: 'a lantern', other: 1 })
    assert.equal(first.status, 202)
    const { execution } = await first.json() as { execution: string }
    const ended = (await ask('GET', `/executions/${execution}?wait=60`)).body
    assert.deepEqual([ended.state, ended.trigger], ['done', `webhook ${trigger.id}`])
    assert.deepEqual(await (await fetch(trigger.url)).json(), { workflow: 'hooked', active: true })
    assert.equal((await fire(trigger.url, [])).status, 400)
    assert.equal((await fire(trigger.url, {})).status, 400)
    assert.equal((await fire(trigger.url, { prompt: 'x' })).status, 202)
    const busy = await fire(trigger.url, { prompt: 'x' })
    assert.deepEqual([busy.status, Number(busy.headers.get('retry-after')) > 0], [429, true])
    const rotated = (await ask('POST', `/triggers/${trigger.id}/rotate`)).body
    assert.equal((await fire(trigger.url, { prompt: 'x' })).status, 404)
    await ask('PATCH', `/triggers/${trigger.id}`, { enabled: false })
    assert.equal((await fire(rotated.url, { prompt: 'x' })).status, 404)
    assert.equal((await ask('GET', '/workflows/hooked/triggers')).body.items.length, 1)
    assert.equal((await ask('DELETE', `/triggers/${trigger.id}`)).status, 204)
  })
  test('a signed webhook takes only what is signed', async () => {
    await saved('signed', chain)
    const { url, secret } = (await ask('POST', '/workflows/signed/triggers', { kind: 'webhook', signed: true })).body
    const body = JSON.stringify({ prompt: 'a seal' })
    const sign = (text: string) => `sha256=${createHmac('sha256', secret).update(text).digest('hex')}`
    assert.equal((await fetch(url, { method: 'POST', body })).status, 401)
    assert.equal((await fetch(url, { method: 'POST', body, headers: { 'x-signature-256': sign('{}') } })).status, 401)
    assert.equal((await fetch(url, { method: 'POST', body, headers: { 'x-signature-256': sign(body) } })).status, 202)
  })
  test('a schedule runs it when it is due, once, and says when it comes next', async () => {
    await saved('nightly', { ...chain, inputs: [], nodes: [make('picture', { prompt: 'a night sky' }), ...chain.nodes.slice(1)] })
    const trigger = (await ask('POST', '/workflows/nightly/triggers', { kind: 'schedule', cron: farCron(), time_zone: 'Europe/Berlin', missed: 'once' })).body
    assert.ok(new Date(trigger.next_at) > new Date())
    for (const wrong of [{ cron: '61 * * * *' }, { cron: 'daily' }, { cron: '0 3 * * *', time_zone: 'Berlin' }]) assert.equal((await ask('POST', '/workflows/nightly/triggers', { kind: 'schedule', ...wrong })).status, 400)
    await house.database.query(`update workflow_trigger set next_at = now() - interval '3 days' where id = $1`, [trigger.id])
    let begun: any[] = []
    while (begun.length === 0) { begun = (await ask('GET', '/executions?workflow=nightly')).body.items; await new Promise(resolve => { setTimeout(resolve, 50) }) }
    await ask('GET', `/executions/${begun[0].id}?wait=60`)
    for (;;) {
      const { items: [after] } = (await ask('GET', '/workflows/nightly/triggers')).body
      if (new Date(after.next_at) > new Date()) break
      await new Promise(resolve => { setTimeout(resolve, 50) })
    }
    assert.equal((await ask('GET', '/executions?workflow=nightly')).body.items.length, 1)
  })
  test('a trigger takes inputs its workflow has, and is told of its own kind what is wrong', async () => {
    await saved('triggered', chain)
    const check = async (body: object, words: RegExp) => {
      const refused = await ask('POST', '/workflows/triggered/triggers', body)
      assert.equal(refused.status, 400)
      assert.match(refused.body.error.message, words)
    }
    const schedule = { kind: 'schedule', cron: '0 3 * * *' }
    await check({ ...schedule, missed: 'never', inputs: { prompt: 'x' } }, /missed/)
    await check({ kind: 'alarm' }, /kind/)
    await check({ ...schedule, inputs: { promt: 'x' } }, /Did you mean prompt/)
    await check(schedule, /prompt is missing/)
    await check({ kind: 'webhook', inputs: { prompt: { a: 1 } } }, /does not fit/)
    const trigger = (await ask('POST', '/workflows/triggered/triggers', { kind: 'webhook', inputs: { prompt: 'a stool' } })).body
    assert.equal((await ask('PATCH', `/triggers/${trigger.id}`, { inputs: { promt: 'x' } })).status, 400)
    assert.deepEqual((await ask('GET', '/workflows/triggered/triggers')).body.items.map((one: any) => one.inputs), [{ prompt: 'a stool' }])
  })
  test('a schedule that cannot be begun says why, until it can', async () => {
    const id = await saved('broken', { ...chain, inputs: [], nodes: [make('picture', { prompt: 'a broken clock' }), ...chain.nodes.slice(1)] })
    const trigger = (await ask('POST', '/workflows/broken/triggers', { kind: 'schedule', cron: '0 3 * * *' })).body
    const standing = async () => (await ask('GET', '/workflows/broken/triggers')).body.items[0]
    const due = async () => { await house.database.query(`update workflow_trigger set next_at = now() - interval '1 hour' where id = $1`, [trigger.id]); while (new Date((await standing()).next_at) < new Date()) await new Promise(resolve => { setTimeout(resolve, 50) }) }
    assert.equal((await standing()).last_problem, null)
    await ask('PATCH', `/workflows/${id}`, { active: false })
    await due()
    assert.deepEqual([(await standing()).last_problem.code, (await ask('GET', '/executions?workflow=broken')).body.items.length], ['conflict', 0])
    await ask('PATCH', `/workflows/${id}`, { active: true })
    await due()
    assert.deepEqual([(await standing()).last_problem, (await ask('GET', '/executions?workflow=broken')).body.items.length], [null, 1])
  })
  test('what a key set going ends with the key', async () => {
    const person = await house.newAccount()
    const call = async (method: string, path: string, body?: object) => {
      const answer = await fetch(`${house.url}/plantain/v1${path}`, { method, headers: { authorization: `Bearer ${person.testKey}`, 'content-type': 'application/json' }, ...body ? { body: JSON.stringify(body) } : {} })
      return await answer.json() as any
    }
    await call('POST', '/workflows', { name: 'left behind', slug: 'left-behind', graph: chain })
    const hook = await call('POST', '/workflows/left-behind/triggers', { kind: 'webhook', inputs: { prompt: 'a glove' } })
    const schedule = await call('POST', '/workflows/left-behind/triggers', { kind: 'schedule', cron: '0 3 * * *', inputs: { prompt: 'a glove' } })
    assert.equal((await fetch(hook.url)).status, 200)
    await house.database.query('update api_key set revoked_at = now() where project_id = $1 and not livemode', [person.projectId])
    assert.deepEqual([(await fetch(hook.url)).status, (await fetch(hook.url, { method: 'POST', body: '{}' })).status], [404, 404])
    await house.database.query(`update workflow_trigger set next_at = now() - interval '1 hour' where id = $1`, [schedule.id])
    let stands: any
    while (!stands?.last_problem) [stands] = (await house.database.query('select last_problem, next_at > now() as later from workflow_trigger where id = $1', [schedule.id])).rows
    assert.deepEqual([stands.last_problem.code, stands.later], ['unauthorized', true])
    assert.equal((await house.database.query('select from execution where project_id = $1', [person.projectId])).rowCount, 0)
  })
  test('a link lets somebody without a key answer, once', async () => {
    const execution = await run({ graph: reviewed, inputs: { prompt: 'a tower <script>' } })
    const [review] = (await ask('GET', `/reviews?state=open&execution=${execution.id}`)).body.items
    const { url } = (await ask('POST', `/reviews/${review.id}/link`, {})).body
    const page = await (await fetch(url)).text()
    assert.match(page, /Which one\?/)
    assert.ok(!page.includes('<script'))
    const picture = /<img src="([^"]+)"/.exec(page)![1]!.replaceAll('&#38;', '&')
    assert.equal((await fetch(new URL(picture, house.url))).status, 200)
    const answer = (form: Record<string, string>) => fetch(url, { method: 'POST', body: new URLSearchParams(form) })
    assert.equal((await answer({ action: 'approve' })).status, 400)
    assert.match(await (await answer({ action: 'approve', chosen: '1', name: 'Ada' })).text(), /Approved/)
    assert.equal((await answer({ action: 'reject', words: 'Too late' })).status, 409)
    assert.equal((await ask('GET', `/reviews/${review.id}`)).body.decided_by, 'Ada (by link)')
    assert.equal((await fetch(`${url}x`)).status, 404)
    const { url: short } = (await ask('POST', `/reviews/${review.id}/link`, { seconds: 60 })).body
    const [id, , signature] = new URL(short).pathname.split('/').at(-1)!.split('.')
    assert.equal((await fetch(new URL(`/review/${id}.${Math.floor(Date.now() / 1_000) + 86_400}.${signature}`, house.url))).status, 404, 'nobody makes a link last longer')
  })
  test('a webhook of ours tells that it has ended, and that somebody is asked', async () => {
    const heard: any[] = []
    const server = createServer(async (request, response) => { heard.push(JSON.parse(Buffer.concat(await request.toArray()).toString())); response.end() }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    try {
      const execution = await run({ graph: reviewed, inputs: { prompt: 'a bridge' }, callback_url: url })
      const [review] = (await ask('GET', `/reviews?state=open&execution=${execution.id}`)).body.items
      while (heard.length < 1) await new Promise(resolve => { setTimeout(resolve, 20) })
      assert.deepEqual([heard[0].type, heard[0].data.reviews[0].id], ['review.requested', review.id])
      await ask('POST', `/reviews/${review.id}`, { action: 'approve' })
      while (heard.length < 2) await new Promise(resolve => { setTimeout(resolve, 20) })
      assert.deepEqual([heard[1].type, heard[1].data.id, heard[1].data.state], ['execution.completed', execution.id, 'done'])
    } finally { server.close() }
  })
})
