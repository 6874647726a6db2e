/**
 * Retired models at every door: refused with what to use, at no cost; and once the project has opted in, made by their replacement, which
 * the answer says.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { testHouse, type TestHouse } from './kit/house.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'retired-'))
const made = JSON.parse(readFileSync(new URL('kit/cards/rehearsal-1.json', import.meta.url), 'utf8'))
const keep = (card: { id: string }) => writeFileSync(path.join(folder, `${card.id}.json`), JSON.stringify(card))
const life = (replacement: string) => ({ state: 'retired', since: '2026-05-12', replacement })

// Two generations back, so that a replacement that is retired itself is gone past.
keep(made)
keep({ ...made, id: 'rehearsal-b', dialects: {}, life: life('rehearsal-1') })
keep({ ...made, id: 'rehearsal-a', life: life('rehearsal-b'), dialects: {
  kie: [{ id: 'rehearsal-a', input: { type: 'object', required: ['prompt'], properties: { prompt: { type: 'string' }, shape: { enum: ['wide', 'square'], 'x-house': { wide: '16:9', square: '1:1' } } } }, fields: { prompt: 'prompt', shape: 'aspect_ratio' } }],
  openai: [{ id: 'rehearsal-a' }], gemini: [{ id: 'rehearsal-a' }], anthropic: [{ id: 'rehearsal-a' }] } })
const film = { ...made, kind: 'video', operations: ['video'], dialects: {}, output: { kind: 'video', countMax: 1, seconds: { default: 4, max: 8 } }, inputs: { ...made.inputs, roles: { first_frame: 1 } },
  parameters: { ...made.parameters, properties: { duration_s: { type: 'integer', minimum: 1, maximum: 8, default: 4 } } }, prices: [{ from: '2026-01-01', source: 'tests', rows: [{ micros: 40_000, per: 'video' }] }] }
keep({ ...film, id: 'rehearsal-film' })
keep({ ...film, id: 'rehearsal-film-old', life: life('rehearsal-film') })
keep({ ...made, id: 'rehearsal-orphan', dialects: {}, life: { state: 'retired', since: '2026-05-12' } })

let house: TestHouse
before(async () => { house = await testHouse({ settings: { PLANTAIN_CARDS: folder } }) })
after(async () => { await house?.close(); rmSync(folder, { recursive: true }) })

const ask = async (where: string, body: unknown, { key = house.liveKey, method = 'POST', headers = {} }: { key?: string; method?: string; headers?: Record<string, string> } = {}) => {
  const answer = await fetch(house.url + where, { method, headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  return { status: answer.status, headers: answer.headers, text: await answer.text() }
}
const choose = async (retired_models: string) => assert.equal((await ask('/plantain/v1/project', { retired_models }, { method: 'PATCH' })).status, 200)
const rows = async (what: string) => (await house.database.query(what)).rows as Record<string, any>[]
const happened = async () => (await rows('select (select count(*)::int from task) as tasks, (select count(*)::int from ledger where task_id is not null) as moves, (select count(*)::int from event) as events'))[0]

const words = 'a red boat'
const mcp = { accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2025-06-18' }
const doors: [door: string, path: string, body: unknown, headers?: Record<string, string>][] = [
  ['native', '/plantain/v1/tasks?wait=60', { model: 'rehearsal-a', prompt: words }],
  ['openai images', '/v1/images/generations', { model: 'rehearsal-a', prompt: words }],
  ['openai responses', '/v1/responses', { model: 'rehearsal-a', input: words, tools: [{ type: 'image_generation' }] }],
  ['openai chat', '/v1/chat/completions', { model: 'rehearsal-a', messages: [{ role: 'user', content: words }] }],
  ['gemini', '/v1beta/models/rehearsal-a:generateContent', { contents: [{ parts: [{ text: words }] }], generationConfig: { responseModalities: ['IMAGE'] } }],
  ['anthropic', '/v1/messages', { model: 'rehearsal-a', max_tokens: 1000, messages: [{ role: 'user', content: words }] }, { 'anthropic-version': '2023-06-01' }],
  ['kie', '/api/v1/jobs/createTask', { model: 'rehearsal-a', input: { prompt: words, shape: 'wide' } }],
  ['wisdom-gate', '/v1/video', { model: 'rehearsal-film-old', prompt: words }],
  ['mcp', '/mcp', { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'generate_image', arguments: { model: 'rehearsal-a', prompt: words } } }, mcp],
]

describe('a project that has not chosen', () => {
  for (const [door, path, body, headers] of doors) {
    test(`${door}: is told no, and nothing happens`, async () => {
      const before = await happened()
      const { text, headers: heard } = await ask(path, body, headers ? { headers } : {})
      // Kie says of a model that was withdrawn only that it is paused.
      assert.match(text, door === 'kie' ? /temporarily paused/ : /retired on 2026-05-12/)
      assert.equal(heard.get('x-model-replaced'), null)
      assert.deepEqual(await happened(), before)
    })
  }
  test('hears what to use, and how to have it used', async () => {
    const { text } = await ask('/plantain/v1/tasks', { model: 'rehearsal-a', prompt: words })
    const { error } = JSON.parse(text)
    assert.equal(error.code, 'model_retired')
    assert.match(error.message, /Use rehearsal-1, or set the project's retired_models to replace/)
  })
})

describe('a project that wants replacements', () => {
  before(() => choose('replace'))
  after(() => choose('refuse'))

  for (const [door, path, body, headers] of doors) {
    test(`${door}: is served by the replacement, and told so`, async () => {
      const { status, text, headers: heard } = await ask(path, body, headers ? { headers } : {})
      assert.equal(status, 200, text)
      const [task] = await rows('select model, model_asked, warnings, parameters, livemode from task order by id desc limit 1')
      const [old, young] = door === 'wisdom-gate' ? ['rehearsal-film-old', 'rehearsal-film'] : ['rehearsal-a', 'rehearsal-1']
      assert.deepEqual([task!.model, task!.model_asked, task!.livemode], [young, old, true])
      assert.ok(task!.warnings.includes(`${old} was retired on 2026-05-12; ${young} takes its place, as this project wants.`), JSON.stringify(task!.warnings))
      if (door !== 'mcp') assert.equal(heard.get('x-model-replaced'), `${old}; by=${young}`)
      if (door === 'kie') assert.equal(task!.parameters.aspect_ratio, '16:9')
      assert.deepEqual(await house.audit(), [])
    })
  }

  test('is refused what the replacement cannot, in a sentence that names both', async () => {
    const before = await happened()
    const { status, text } = await ask('/plantain/v1/tasks', { model: 'rehearsal-a', prompt: words, parameters: { seed: 1 } })
    const { error } = JSON.parse(text)
    assert.deepEqual([status, error.code, error.field], [400, 'unsupported_parameter', 'parameters.seed'])
    assert.match(error.message, /rehearsal-1 takes the place of rehearsal-a/)
    assert.deepEqual(await happened(), before)
  })
  test('is refused a model nothing takes the place of', async () => {
    const { text } = await ask('/plantain/v1/tasks', { model: 'rehearsal-orphan', prompt: words })
    assert.equal(JSON.parse(text).error.code, 'model_retired')
  })
  test('still sees the retired model as it is, and a test key is served it', async () => {
    assert.deepEqual(JSON.parse((await ask('/plantain/v1/models/rehearsal-a', undefined, { method: 'GET' })).text).life.state, 'retired')
    const { text, headers } = await ask('/plantain/v1/tasks?wait=60', { model: 'rehearsal-a', prompt: words }, { key: house.testKey })
    assert.deepEqual([JSON.parse(text).model, headers.get('x-model-replaced')], ['rehearsal-a', null])
  })
})

test('the choice is the admin’s, is written down, and a slip changes nothing', async () => {
  const { liveKey: weak } = await house.newAccount({ scopes: ['tasks:read', 'tasks:write'] })
  assert.equal((await ask('/plantain/v1/project', { retired_models: 'replace' }, { method: 'PATCH', key: weak })).status, 403)
  for (const body of [{}, { retired_models: 'swap' }, { retired_models: null }, { name: 'x' }]) assert.equal((await ask('/plantain/v1/project', body, { method: 'PATCH' })).status, 400, JSON.stringify(body))
  const acts = () => rows(`select act, key_id is not null as by_key, details from audit where act = 'project.changed' order by id`)
  const before = await acts()
  await choose('refuse')
  assert.deepEqual(await acts(), before, 'what stays as it was is no act')
  await choose('replace')
  await choose('refuse')
  assert.deepEqual((await acts()).slice(before.length), [
    { act: 'project.changed', by_key: true, details: { retired_models: { from: 'refuse', to: 'replace' } } }, { act: 'project.changed', by_key: true, details: { retired_models: { from: 'replace', to: 'refuse' } } }])
  assert.deepEqual(JSON.parse((await ask('/plantain/v1/project', undefined, { method: 'GET', key: weak })).text).retired_models, 'refuse')
})
