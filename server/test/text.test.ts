/** Text from a text provider: native tasks and their money, and the nodes of workflows that write, over HTTP. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { testHouse, type TestHouse } from './kit/house.ts'
import { asking, wire } from './kit/workflow.ts'
import { paint } from './upstreams/loopback.ts'

let house: TestHouse
before(async () => { house = await testHouse() })
after(() => house?.close())

const ask = asking(() => house)
const order = async (prompt: string, more: Record<string, unknown> = {}) => (await ask('POST', '/tasks?wait=60', { model: 'gemini-3.5-flash-lite', prompt, ...more })).body
const run = async (graph: object, inputs: object = {}) => (await ask('POST', '/executions?wait=60', { graph, inputs })).body
const counts = async () => (await house.database.query<{ tasks: number; rows: number; events: number }>('select (select count(*) from task)::int as tasks, (select count(*) from ledger)::int as rows, (select count(*) from event)::int as events')).rows[0]!
const ledgerOf = async (taskId: string) => (await house.database.query<{ kind: string; amount: number }>('select kind, amount_micros::float8 as amount from ledger where task_id = $1 order by id', [taskId])).rows.map(({ kind, amount }) => [kind, amount])
const out = (id: string, name: string) => ({ id, kind: 'output', settings: { name } })
const german = 'Translate the text the user sends into German (de). Answer with the translation and nothing else.'

describe('a task that writes', () => {
  test('is done with a text and nothing else, and takes what it took of what was held', async () => {
    const task = await order('Free shipping', { parameters: { system: german, max_tokens: 200 } })
    assert.deepEqual([task.state, task.operation, task.text, task.outputs, task.details.finish, task.warnings, task.expires_at], ['done', 'write', 'Kostenloser Versand', [], 'stop', [], null], JSON.stringify(task.problem ?? task.error))
    // 13 letters of prompt, 97 of instruction and 64 for the frame at $0.30, 200 tokens at $2.50 a million; then what the sandbox counted.
    const held = Math.ceil((13 + german.length + 64) * 0.3 + 200 * 2.5)
    const taken = Math.ceil((4 + Math.ceil(german.length / 4)) * 0.3 + 5 * 2.5)
    assert.deepEqual([task.price.micros, task.cost.micros], [held, taken])
    assert.deepEqual(await ledgerOf(task.id), [['hold', -held], ['capture', held - taken]])
    assert.deepEqual(await house.audit(), [])
  })

  test('is priced as its estimate says', async () => {
    const body = { model: 'claude-haiku-5.5', prompt: 'Say hello', parameters: { max_tokens: 1_000 } }
    const estimate = (await ask('POST', '/estimate', body)).body
    assert.deepEqual([estimate.operation, estimate.count, estimate.price.micros], ['write', 1, Math.ceil((9 + 64) * 0.1 + 1_000 * 0.5)])
    const task = (await ask('POST', '/tasks?wait=60', body)).body
    assert.deepEqual([task.price.micros, task.text], [estimate.price.micros, 'hello'])
  })

  test('describes pictures, and holds the dearest a picture may be', async () => {
    const plain = await order('Describe this picture in one sentence.')
    const task = await order('Describe this picture in one sentence.', { inputs: [{ base64: (await paint(90, 40)).toString('base64') }] })
    assert.match(task.text, /^A landscape picture, mostly /)
    assert.equal(task.price.micros - plain.price.micros, 5_000 * 0.3)
    assert.equal(task.cost.micros, Math.ceil((10 + 258) * 0.3 + Math.ceil(task.text.length / 4) * 2.5))
  })

  test('that is cut off says so', async () => {
    const task = await order('Say abcdefghijkl', { parameters: { max_tokens: 2 } })
    assert.deepEqual([task.text, task.details.finish], ['abcdefgh', 'length'])
    assert.match(task.warnings[0], /cut off after 2 tokens/)
  })

  for (const [trigger, code] of [['fail=501', 'provider_failed'], ['moderation', 'content_rejected'], ['timeout', 'provider_timeout'], ['lost', 'outcome_unknown'], ['bad_image', 'bad_output'], ['expired_url', 'output_expired']] as const) {
    test(`sandbox:${trigger} ends as ${code} and costs nothing`, async () => {
      const task = await order(`Say hello sandbox:${trigger}`)
      assert.deepEqual([task.state, task.problem?.code, task.text, task.cost.micros], ['failed', code, null, 0])
      assert.deepEqual(await ledgerOf(task.id), [['hold', -task.price.micros], ['release', task.price.micros]])
    })
  }
  test('sandbox:busy and sandbox:slow are waited for', async () => {
    const [busy, slow] = await Promise.all([order('Say hello sandbox:busy'), order('Say hello sandbox:slow=300ms')])
    assert.deepEqual([busy.text, busy.attempts, slow.text], ['hello', 3, 'hello'])
  })
  test('sandbox:credits and mistakes are refused, and nothing happened', async () => {
    const before = await counts()
    const refused = async (body: object, status: number, code: string, field?: string) => {
      const answer = await ask('POST', '/tasks', { model: 'gemini-3.5-flash-lite', prompt: 'Say hello', ...body })
      assert.deepEqual([answer.status, answer.body.error.code, answer.body.error.field], [status, code, field], JSON.stringify(answer.body))
    }
    await refused({ prompt: 'Say hello sandbox:credits' }, 402, 'credits_required')
    await refused({ prompt: 'hello sandbox:creditz' }, 400, 'bad_request', 'prompt')
    await refused({ prompt: ' ' }, 400, 'bad_request', 'prompt')
    await refused({ operation: 'generate' }, 400, 'unsupported_parameter', 'operation')
    await refused({ model: 'nano-banana-2', operation: 'write' }, 400, 'unsupported_parameter', 'operation')
    await refused({ parameters: { max_tokens: 0 } }, 400, 'unsupported_parameter', 'parameters.max_tokens')
    await refused({ parameters: { max_tokens: 100_000 } }, 400, 'unsupported_parameter', 'parameters.max_tokens')
    await refused({ parameters: { system: 7 } }, 400, 'unsupported_parameter', 'parameters.system')
    await refused({ parameters: { effort: 'maximal' } }, 400, 'unsupported_parameter', 'parameters.effort')
    await refused({ model: 'gemini-3.8-flash', parameters: { effort: 'minimal' } }, 400, 'unsupported_parameter', 'parameters.effort')
    await refused({ parameters: { aspect_ratio: '1:1' } }, 400, 'unsupported_parameter', 'parameters.aspect_ratio')
    await refused({ model: 'claude-haiku-5.5', prompt: 'x'.repeat(50_001) }, 400, 'bad_request', 'prompt')
    assert.deepEqual(await counts(), before)
  })

  test('under a live key without a provider is told which setting to add', async () => {
    const answer = await fetch(`${house.url}/plantain/v1/tasks`, { method: 'POST', headers: { authorization: `Bearer ${house.liveKey}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'gpt-5.6-luna', prompt: 'hello' }) })
    const { error } = await answer.json() as any
    assert.deepEqual([answer.status, error.code], [503, 'provider_not_configured'])
    assert.match(error.message, /OPENAI_API_KEY/)
  })
})

describe('nodes that write', () => {
  /** A headline in several languages, each on a poster. */
  const posters = {
    nodes: [
      { id: 'headline', kind: 'text', settings: {} }, { id: 'languages', kind: 'list', settings: {} }, { id: 'each', kind: 'iterate', settings: {} },
      { id: 'words', kind: 'translate', settings: {} }, { id: 'poster', kind: 'generate', settings: { model: 'sandbox-1', parameters: { resolution: '512' } } },
      { id: 'texts', kind: 'collect', settings: {} }, { id: 'pictures', kind: 'collect', settings: {} }, out('out-texts', 'texts'), out('out-posters', 'posters'),
    ],
    edges: [
      wire('languages.items', 'each.items'), wire('headline.text', 'words.text'), wire('each.item', 'words.language'), wire('words.text', 'poster.prompt'),
      wire('words.text', 'texts.items'), wire('poster.image', 'pictures.items'), wire('texts.items', 'out-texts.value'), wire('pictures.items', 'out-posters.value'),
    ],
    inputs: [{ name: 'headline', node: 'headline', port: 'text' }, { name: 'languages', node: 'languages', port: 'items' }],
  }
  const languages = ['de', 'fr', 'es', 'it', 'ja']

  test('translate a headline into five languages, and each is drawn', async () => {
    const execution = await run(posters, { headline: 'Summer sale', languages })
    assert.equal(execution.state, 'done', JSON.stringify(execution.problem))
    assert.deepEqual(execution.outputs.texts, ['Sommer-Sale', 'Soldes d’été', 'Rebajas de verano', 'Saldi estivi', 'サマーセール'])
    assert.equal(execution.outputs.posters.length, 5)
    const { rows } = await house.database.query<{ operation: string; count: number; charged: number }>(`select operation, count(*)::int as count, sum(charged_micros)::float8 as charged from task where metadata->>'execution' = $1 or id in (select task_id from node_run where execution_id = $1::uuid) group by 1 order by 1`, [execution.id])
    assert.deepEqual(rows.map(({ operation, count }) => [operation, count]), [['generate', 5], ['write', 5]])
    assert.equal(rows.reduce((sum, { charged }) => sum + charged, 0), execution.cost.micros)
    assert.deepEqual(await house.audit(), [])
  })

  test('a second time take what was written before, and buy only the new language', async () => {
    const tasks = async () => (await counts()).tasks
    const before = await tasks()
    const again = await run(posters, { headline: 'Summer sale', languages })
    assert.deepEqual([again.cost.micros, await tasks()], [0, before])
    const more = await run(posters, { headline: 'Summer sale', languages: [...languages, 'pl'] })
    assert.deepEqual([more.outputs.texts.at(-1), await tasks() - before], ['[pl] Summer sale', 2])
  })

  test('are planned with the most they may cost, and open-ended where a text is not there yet', async () => {
    const known = (await ask('POST', '/executions/estimate', { graph: { nodes: [{ id: 'words', kind: 'translate', settings: { text: 'Sold out', language: 'de' } }, out('o', 'text')], edges: [wire('words.text', 'o.value')] } })).body
    const executed = await run({ nodes: [{ id: 'words', kind: 'translate', settings: { text: 'Sold out', language: 'de' } }, out('o', 'text')], edges: [wire('words.text', 'o.value')] })
    assert.ok(executed.cost.micros > 0 && executed.cost.micros <= known.price_max.micros, `${executed.cost.micros} of ${known.price_max.micros}`)
    assert.ok(known.price_min.micros <= executed.cost.micros)
    const chained = (await ask('POST', '/executions/estimate', { graph: { nodes: [{ id: 'one', kind: 'write', settings: { prompt: 'Say hello' } }, { id: 'two', kind: 'translate', settings: { language: 'de' } }, out('o', 'text')], edges: [wire('one.text', 'two.text'), wire('two.text', 'o.value')] } })).body
    assert.equal(chained.price_max, null)
  })

  test('describe a picture, rewrite what was said, and write by a system text', async () => {
    const graph = {
      nodes: [
        { id: 'picture', kind: 'generate', settings: { model: 'sandbox-1', prompt: 'a poster with a fox, saying "OPEN"', parameters: { resolution: '512', seed: 3 } } },
        { id: 'seen', kind: 'describe', settings: { length: 'short' } }, { id: 'loud', kind: 'rewrite', settings: { tone: 'exciting', instruction: 'All caps.' } },
        { id: 'said', kind: 'write', settings: { system: german, max_tokens: 100, temperature: 0.5, prompt: 'New arrivals' } },
        out('a', 'seen'), out('b', 'loud'), out('c', 'said'),
      ],
      edges: [wire('picture.image', 'seen.image'), wire('seen.text', 'loud.text'), wire('seen.text', 'a.value'), wire('loud.text', 'b.value'), wire('said.text', 'c.value')],
    }
    const { state, outputs, problem } = await run(graph)
    assert.equal(state, 'done', JSON.stringify(problem))
    assert.match(outputs.seen, /^Poster with fox.*saying “OPEN”/)
    assert.equal(outputs.loud, outputs.seen.replace(/\.$/, '!').toUpperCase())
    assert.equal(outputs.said, 'Neu eingetroffen')
  })

  test('with pictures write about them', async () => {
    const { body: asset } = await ask('POST', '/assets', { base64: (await paint(40, 90)).toString('base64') })
    const graph = { nodes: [{ id: 'all', kind: 'list', settings: { items: [asset.id] } }, { id: 'said', kind: 'write', settings: { prompt: 'What is this, in short?' } }, out('o', 'text')], edges: [wire('all.items', 'said.images'), wire('said.text', 'o.value')] }
    const { outputs, problem } = await run(graph)
    assert.match(outputs.text ?? JSON.stringify(problem), /^A portrait picture/)
  })

  test('fail for themselves, are resumed alone, and cost nothing for it', async () => {
    const execution = await run(posters, { headline: 'Sold out sandbox:fail=501', languages: ['de'] })
    assert.deepEqual([execution.state, execution.problem?.code, execution.cost.micros], ['failed', 'provider_failed', 0])
    const { items } = (await ask('GET', `/executions/${execution.id}/runs?limit=100`)).body
    assert.deepEqual(items.filter((one: any) => one.node === 'words' || one.node === 'poster').map((one: any) => [one.node, one.state]).sort(), [['poster', 'skipped'], ['words', 'failed']])
  })

  test('refuse a model that draws, before anything is bought', async () => {
    const before = await counts()
    const refused = await ask('POST', '/executions', { graph: { nodes: [{ id: 'said', kind: 'write', settings: { prompt: 'hello', model: 'nano-banana-2' } }, out('o', 'text')], edges: [wire('said.text', 'o.value')] } })
    assert.deepEqual([refused.status, refused.body.error.code], [400, 'unsupported_parameter'])
    assert.deepEqual(await counts(), before)
  })
})
