/** Values, names and addresses that do not fit: said where they are, the same beforehand and by the run, and nothing is begun or bought. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { testHouse, type TestHouse } from './kit/house.ts'
import { asking, wire } from './kit/workflow.ts'

let house: TestHouse
before(async () => { house = await testHouse() })
after(() => house?.close())

const ask = asking(() => house)
const run = async (body: object) => (await ask('POST', '/executions?wait=60', body)).body
const counted = async () => (await house.database.query<{ all: number }>('select ((select count(*) from task) + (select count(*) from execution))::int as all')).rows[0]!.all
const node = (id: string, kind: string, settings: object = {}) => ({ id, kind, settings })
const make = (id: string, settings: object = {}) => node(id, 'generate', { model: 'sandbox-1', parameters: { resolution: '512' }, ...settings })

describe('a value of another type', () => {
  const values = [null, {}, [], [[]], ['a', {}], 5e300, true, ' ', { asset: 'x', sha256: 'y' }]
  const ports = ['generate.prompt', 'generate.images', 'edit.image', 'edit.mask', 'edit.styles', 'upscale.image', 'remove_background.image', 'generate_video.first_frame', 'generate_video.video', 'describe.image', 'write.prompt', 'write.images', 'translate.text', 'translate.language', 'rewrite.text', 'publish.value']
  const filled: Record<string, object> = { generate: { model: 'sandbox-1', prompt: 'a hat' }, edit: { model: 'sandbox-1', prompt: 'a hat' }, publish: { path: 'a' } }
  for (const place of ports) test(`at ${place} is a mistake of the caller, never ours`, async () => {
    const [kind, port] = place.split('.') as [string, string]
    for (const value of values) {
      const { [port]: _, ...settings } = (filled[kind] ?? {}) as Record<string, unknown>
      const graph = { nodes: [node('one', 'extract', { from: { value }, paths: ['$.value'] }), node('it', kind, settings)], edges: [wire('one.value', `it.${port}`)] }
      const [estimate, begun] = [await ask('POST', '/executions/estimate', { graph }), await ask('POST', '/executions?wait=60', { graph })]
      const words = JSON.stringify([value, estimate.body, begun.body]).slice(0, 600)
      assert.ok(estimate.status < 500 && begun.status < 500 && begun.body.problem?.code !== 'internal', words)
      assert.equal(estimate.status >= 400, begun.status >= 400, words)
    }
  })
  test('in one item is told with that item, before anything is bought', async () => {
    const graph = { nodes: [node('all', 'list'), node('each', 'iterate'), make('picture')], edges: [wire('all.items', 'each.items'), wire('each.item', 'picture.prompt')], inputs: [{ name: 'prompts', node: 'all', port: 'items' }] }
    const before = await counted()
    for (const [item, words] of [[{ a: 1 }, /^picture \(item 2\): prompt must be string/], [null, /^picture \(item 2\): prompt must be string/], ['  ', /^picture \(item 2\): prompt is missing/]] as const) {
      for (const path of ['/executions/estimate', '/executions']) {
        const refused = await ask('POST', path, { graph, inputs: { prompts: ['a cup', item] } })
        assert.equal(refused.status, 400)
        assert.match(refused.body.error.message, words)
      }
    }
    assert.equal(await counted(), before)
  })
})

test('a list of lists is iterated over list by list, beforehand and by the run', async () => {
  const graph = {
    nodes: [node('all', 'list', { items: [['a cup', 'a jar'], [], ['a pan']] }), node('outer', 'iterate'), node('inner', 'iterate'), make('picture'), node('some', 'collect'), node('made', 'collect'), node('out', 'output')],
    edges: [wire('all.items', 'outer.items'), wire('outer.item', 'inner.items'), wire('inner.item', 'picture.prompt'), wire('picture.image', 'some.items'), wire('some.items', 'made.items'), wire('made.items', 'out.value')],
  }
  const plan = (await ask('POST', '/executions/estimate', { graph })).body
  assert.deepEqual([plan.steps.find((step: any) => step.node === 'picture').times, plan.price_max.micros], [3, 3_000])
  const done = await run({ graph })
  assert.deepEqual([done.state, done.cost.micros, done.outputs.out.map((list: unknown[]) => list.length)], ['done', 3_000, [2, 0, 1]])
})

test('words no model of a test key takes are refused by the estimate as by the run', async () => {
  const body = { graph: { nodes: [make('picture', { prompt: 'a cup sandbox:nonsense' })], edges: [] } }
  const before = await counted()
  for (const path of ['/executions/estimate', '/executions']) assert.match((await ask('POST', path, body)).body.error.message, /^picture: There is no trigger/)
  assert.equal(await counted(), before)
})

describe('settings that cannot work together are refused before what stands in front is bought', () => {
  const cases: [string, object, string, RegExp][] = [
    ['resize', {}, 'image', /^it: Say how large/], ['watermark', {}, 'image', /^it: Give either a text or a picture/], ['publish', { to: 'http', path: 'a' }, 'value', /^it: Say where to send it/], ['approval', { choose_min: 2, choose_max: 1 }, 'candidates', /^it: choose_max is 1 and choose_min 2/],
  ]
  for (const [kind, settings, port, words] of cases) test(kind, async () => {
    const graph = { nodes: [make('picture', { prompt: 'a cup' }), node('it', kind, settings)], edges: [wire('picture.image', `it.${port}`)] }
    const before = await counted()
    for (const path of ['/executions/estimate', '/executions']) {
      const refused = await ask('POST', path, { graph })
      assert.equal(refused.status, 400)
      assert.match(refused.body.error.message, words)
    }
    assert.equal(await counted(), before)
  })
})

test('an address nobody can be told at is refused before anything runs', async () => {
  const graph = { nodes: [node('words', 'text', { text: 'x' })], edges: [] }
  const before = await counted()
  for (const callback_url of ['ftp://example.com/x', 'somewhere']) {
    for (const path of ['/executions/estimate', '/executions']) assert.equal((await ask('POST', path, { graph, callback_url })).status, 400)
  }
  assert.equal(await counted(), before)
})

describe('values that grow by themselves are refused where they become too large, and hold nobody up', () => {
  const range = (count: number) => Array.from({ length: count }, (_, index) => index)
  /** Eight times as long with every node. */
  const texts = (deep: number) => ({
    nodes: [node('c0', 'text', { text: 'x'.repeat(1_000) }), ...range(deep).map(at => node(`c${at + 1}`, 'concat'))],
    edges: range(deep).flatMap(at => range(8).map(to => wire(`c${at}.text`, `c${at + 1}.text${to + 1}`))),
  })
  /** Twice as long with every two. */
  const lists = (deep: number) => ({
    nodes: [node('a0', 'list', { items: ['x', 'y'] }), node('b0', 'list', { items: ['x', 'y'] }), ...range(deep).flatMap(at => [node(`a${at + 1}`, 'merge'), node(`b${at + 1}`, 'merge')])],
    edges: range(deep).flatMap(at => ['a', 'b'].flatMap(from => ['a', 'b'].map(to => wire(`${from}${at}.${at === 0 ? 'items' : 'values'}`, `${to}${at + 1}.values`)))),
  })
  for (const [what, graph, words] of [['texts', texts(9), /^c4: what comes out at text is more than 4 million characters/], ['lists', lists(60), /^[ab]\d+: .* is more than (4|16) million characters/]] as const) test(what, async () => {
    const before = await counted()
    for (const path of ['/executions/estimate', '/executions']) {
      const refused = await ask('POST', path, { graph })
      assert.equal(refused.status, 413, JSON.stringify(refused.body).slice(0, 300))
      assert.match(refused.body.error.message, words)
    }
    assert.equal(await counted(), before)
  })
  describe('in the run, where only it can tell', () => {
    const upload = async (text: string) => {
      const form = new FormData()
      form.set('purpose', 'user_data')
      form.set('file', new Blob([text], { type: 'text/plain' }), 'long.txt')
      return (await (await fetch(`${house.url}/v1/files`, { method: 'POST', headers: { authorization: `Bearer ${house.testKey}` }, body: form })).json() as { id: string }).id
    }
    const refused = async (text: string, words: RegExp) => {
      const graph = { nodes: [node('read', 'file', { file: await upload(text) }), node('long', 'concat'), node('out', 'output')], edges: [...range(8).map(to => wire('read.text', `long.text${to + 1}`)), wire('long.text', 'out.value')] }
      const failed = await run({ graph })
      assert.deepEqual([failed.state, failed.problem?.code], ['failed', 'too_large'], JSON.stringify(failed).slice(0, 300))
      assert.match(failed.problem.message, words)
    }
    test('a long file, eight times', () => refused('x'.repeat(600_000), /^long: what comes out at text is more than 4 million characters/))
    test('lists in lists', () => refused(`${'['.repeat(5_000)}${']'.repeat(5_000)}`, /^read: what comes out at json is nested more than 100 deep/))
  })
  test('an estimate of many long texts leaves to the run what it cannot have at hand', async () => {
    const graph = { nodes: [node('words', 'text', { text: 'x'.repeat(200_000) }), node('all', 'list', { items: range(800).map(String) }), node('each', 'iterate'), node('long', 'concat'), make('picture'), node('out', 'output')],
      edges: [wire('all.items', 'each.items'), wire('each.item', 'long.text1'), wire('words.text', 'long.text2'), wire('long.text', 'out.value'), wire('each.item', 'picture.prompt')] }
    const { status, body } = await ask('POST', '/executions/estimate', { graph })
    assert.deepEqual([status, body.steps.find((step: any) => step.node === 'picture').price_max.micros], [200, 800_000])
  })
})

describe('versions by name', () => {
  const graph = (text: string) => ({ nodes: [node('words', 'text', { text }), node('out', 'output')], edges: [wire('words.text', 'out.value')] })
  const outputs = async (version?: string | number) => (await run({ workflow: 'named', ...(version === undefined ? {} : { version }) })).outputs?.out
  test('a named version is run by its name, wherever the name has moved', async () => {
    await ask('POST', '/workflows', { name: 'Named', graph: graph('one') })
    await ask('POST', '/workflows/named/publish', { name: 'production' })
    await ask('PATCH', '/workflows/named', { graph: graph('two') })
    await ask('POST', '/workflows/named/publish', { name: 'staging' })
    assert.deepEqual([await outputs('production'), await outputs('staging'), await outputs(1), await outputs('draft'), await outputs()], ['one', 'two', 'one', 'two', 'two'])
    await ask('POST', '/workflows/named/publish', { name: 'production' })
    assert.equal(await outputs('production'), 'two')
    assert.equal((await ask('POST', '/executions', { workflow: 'named', version: 'nobody' })).status, 404)
    assert.match((await ask('POST', '/executions', { graph: graph('x'), version: 1 })).body.error.message, /no versions/)
  })
  test('a name that could not be asked for cannot be given', async () => {
    for (const name of ['draft', '12']) assert.match((await ask('POST', '/workflows/named/publish', { name })).body.error.message, /cannot be called/)
  })
})

test('two outputs of one name, and two inputs of one port, are warned of', async () => {
  const graph = {
    nodes: [node('words', 'text', { text: 'x' }), node('a', 'output', { name: 'same' }), node('b', 'output', { name: 'same' })], edges: [wire('words.text', 'a.value'), wire('words.text', 'b.value')],
    inputs: [{ name: 'one', node: 'words', port: 'text' }, { name: 'two', node: 'words', port: 'text' }],
  }
  const { ok, warnings } = (await ask('POST', '/workflows/lint', graph)).body
  assert.deepEqual([ok, warnings.map((one: any) => one.rule)], [true, ['same-port', 'same-output']])
})
