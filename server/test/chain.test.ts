/**
 * One Plantain behind another, at every dialect that is both a front door and a back door: two real houses, a live key outside, a test key
 * inside. What the inner one makes comes out of the outer one as it was, and a broken line buys nothing twice.
 *
 * Wireflow runs workflows, so the inner house has one, and its card says which input is filled with what.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { testHouse, type TestHouse } from './kit/house.ts'
import { moneyOf, send } from './kit/live.ts'
import { paint } from './upstreams/loopback.ts'

interface Dialect {
  provider: string
  /** Where one provider has two surfaces. */
  surface?: string
  /** The card it is built on, and its name at the inner door. */
  card: string
  /** Of the inner house, where it is not the same for all of them. */
  model: string | ((inner: TestHouse) => Promise<string>)
  parameters: object
  /** The call that buys. */
  buys: RegExp
  /** Where usage stands on the outer task, if this dialect tells it. */
  usage: ((details: any) => unknown) | null
  /** Whether words that came with the picture come through. */
  words: boolean
  /** Something the outer card allows and the inner one does not, and how the caller hears of it. */
  wrong: { parameters: object; code: string }
  /** Whether a lost answer can be asked for. */
  finds: boolean
  /** What want of credit inside is outside, where the inner house only notices it while it makes. */
  dry?: string
}

const picture = { aspect_ratio: '16:9', resolution: '1K', output_format: 'png' }
const oddRatio = { ...picture, aspect_ratio: '7:5' }
const dialects: Dialect[] = [
  { provider: 'openai', card: 'gpt-image-2', model: 'gpt-image-2', parameters: { size: '256x256', quality: 'low', output_format: 'png' }, buys: /^\/v1\/images\//, usage: details => details.usage?.output_tokens, words: false, finds: false,
    wrong: { parameters: { size: '256x2560' }, code: 'provider_rejected' } },
  { provider: 'gemini', card: 'nano-banana-2-1', model: 'gemini-nano-banana-2.1', parameters: picture, buys: /:generateContent$/, usage: details => details.usage_metadata?.totalTokenCount, words: true, finds: false,
    wrong: { parameters: oddRatio, code: 'unsupported_parameter' } },
  { provider: 'kie', card: 'nano-banana-2-1', model: 'nano-banana-2-1', parameters: picture, buys: /createTask$/, usage: null, words: false, finds: false,
    wrong: { parameters: oddRatio, code: 'unsupported_parameter' } },
  { provider: 'wisdom-gate', card: 'nano-banana-2', model: 'gemini-3.1-flash-image-preview', parameters: picture, buys: /:generateContent$/, usage: details => details.usage_metadata?.totalTokenCount, words: true, finds: false,
    wrong: { parameters: oddRatio, code: 'unsupported_parameter' } },
  { provider: 'wisdom-gate', surface: 'images', card: 'gpt-image-2', model: 'gpt-image-2', parameters: { size: '256x256', quality: 'low', output_format: 'png' }, buys: /^\/v1\/images\//, usage: details => details.usage?.output_tokens, words: false, finds: false,
    wrong: { parameters: { size: '256x2560' }, code: 'provider_rejected' } },
  { provider: 'plantain', card: 'nano-banana-2-1', model: 'nano-banana-2-1', parameters: picture, buys: /^\/plantain\/v1\/tasks$/, usage: null, words: true, finds: true,
    wrong: { parameters: oddRatio, code: 'unsupported_parameter' } },
  { provider: 'wireflow', card: '../../../test/kit/gateways/wireflow-poster', model: savePoster, parameters: {}, buys: /\/run$/, usage: null, words: false, finds: true, dry: 'provider_failed',
    wrong: { parameters: { aspect_ratio: '7:5' }, code: 'unsupported_parameter' } },
]

/** The workflow inside that makes what the card sells. */
async function savePoster(house: TestHouse): Promise<string> {
  const node = (id: string, nodeType: string, label: string, config: object = {}) => ({ id, data: { nodeType, label, config } })
  const edge = (source: string, target: string, out: string, into: string) => ({ source, target, sourceHandle: `out-${out}`, targetHandle: `in-${into}` })
  const saved = await fetch(`${house.url}/api/v1/workflows`, { method: 'POST', headers: { authorization: `Bearer ${house.testKey}`, 'content-type': 'application/json' }, body: JSON.stringify({
    name: 'Poster', nodes: [node('input-1', 'input:text', 'Prompt'), node('input-2', 'input:image', 'Picture'), node('gen-1', 'generate:nano_banana_2_1', 'Picture', { resolution: '1K', output_format: 'png' })],
    edges: [edge('input-1', 'gen-1', 'prompt', 'prompt'), edge('input-2', 'gen-1', 'image', 'image1')] }) })
  const { id } = await saved.json() as { id: string }
  return `${id}?prompt=input-1&inputs=input-2&output=gen-1`
}

const nameOf = ({ provider, surface }: Dialect) => `chain-${provider}${surface ? `-${surface}` : ''}`

/** A card like the real one, made by one provider only; it allows one thing more than the real one. */
async function writeCard(dialect: Dialect, inner: TestHouse): Promise<string> {
  const card = JSON.parse(readFileSync(new URL(`../src/catalog/cards/${dialect.card}.json`, import.meta.url), 'utf8'))
  const { properties } = card.parameters
  if (properties.aspect_ratio) properties.aspect_ratio.enum.push('7:5')
  const model = typeof dialect.model === 'string' ? dialect.model : await dialect.model(inner)
  if (card.parameters['x-size']) card.parameters['x-size'].ratioMax = 20
  return JSON.stringify({ ...card, id: nameOf(dialect), dialects: {}, aliases: [], routes: [{ provider: dialect.provider, model, order: 1, weight: 1 }] })
}

/** The line between the houses: hands on what it hears, and breaks when told to, once the inner house has answered. */
async function openLine(target: string) {
  let cutting: RegExp | null = null
  let cuts = 0
  const server = createServer((incoming, outgoing) => handOn(incoming, outgoing))
  server.listen(0, '127.0.0.1')
  await new Promise(resolve => { server.once('listening', resolve) })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut(path: RegExp) { cutting = path; cuts = 0 },
    cuts: () => cuts,
    async close() { server.closeAllConnections(); await new Promise(resolve => { server.close(resolve) }) },
  }

  function handOn(incoming: IncomingMessage, outgoing: ServerResponse) {
    const onward = request(new URL(incoming.url!, target), { method: incoming.method!, headers: { ...incoming.headers, host: new URL(target).host } }, answer => {
      if (cutting?.test(new URL(incoming.url!, target).pathname) && incoming.method === 'POST') {
        cutting = null
        cuts++
        answer.resume()
        incoming.socket.destroy()
        return
      }
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(outgoing)
    })
    onward.on('error', () => incoming.socket.destroy())
    incoming.pipe(onward)
  }
}

let inner: TestHouse
let outer: TestHouse
let line: Awaited<ReturnType<typeof openLine>>
let cards: string
before(async () => {
  cards = await mkdtemp(join(tmpdir(), 'plantain-chain-'))
  inner = await testHouse()
  await Promise.all(dialects.map(async dialect => writeFile(join(cards, `${nameOf(dialect)}.json`), await writeCard(dialect, inner))))
  line = await openLine(inner.url)
  const key = inner.testKey
  outer = await testHouse({ settings: {
    PLANTAIN_CARDS: cards, OPENAI_API_KEY: key, OPENAI_BASE_URL: `${line.url}/v1`, GEMINI_API_KEY: key, GEMINI_BASE_URL: line.url, KIE_API_KEY: key, KIE_BASE_URL: line.url, KIE_UPLOAD_URL: line.url,
    WISDOM_GATE_API_KEY: key, WISDOM_GATE_BASE_URL: line.url, PLANTAIN_API_KEY: key, PLANTAIN_BASE_URL: line.url, WIREFLOW_API_KEY: key, WIREFLOW_BASE_URL: line.url, WIREFLOW_PER_MINUTE: '1000',
  } })
})
after(async () => {
  await outer?.close()
  await line?.close()
  await inner?.close()
  if (cards) await rm(cards, { recursive: true, force: true })
})

const taskCount = async () => Number((await inner.database.query<{ count: string }>('select count(*) from task')).rows[0]!.count)
/** What the newest tasks inside made, and were handed, as hashes. */
async function inside(tasks: number): Promise<{ made: string[]; handed: string[] }> {
  const { rows } = await inner.database.query<{ id: string; inputs: { assetId: string }[] }>('select id, inputs from task order by id desc limit $1', [tasks])
  const hashes = async (sql: string, values: unknown[]) => (await inner.database.query<{ hash: string }>(sql, values)).rows.map(({ hash }) => hash).sort()
  return {
    made: await hashes(`select encode(sha256, 'hex') as hash from asset where task_id = any($1::uuid[]) and kind = 'output'`, [rows.map(({ id }) => id)]),
    handed: await hashes(`select encode(sha256, 'hex') as hash from asset where id = any($1::uuid[])`, [rows.flatMap(({ inputs }) => inputs.map(({ assetId }) => assetId))]),
  }
}
const order = (dialect: Dialect, more: object = {}) => send(outer, { model: nameOf(dialect), prompt: 'a red apple on a table', parameters: dialect.parameters, ...more }, 40)

for (const dialect of dialects) {
  describe(`${dialect.provider} behind ${dialect.provider}${dialect.surface ? `, ${dialect.surface}` : ''}`, () => {
    test('the picture, and what came with it, is the same at both ends', async () => {
      const { body } = await order(dialect)
      assert.deepEqual([body.state, body.served_by, body.outputs?.length], ['done', dialect.provider, 1], JSON.stringify(body.problem ?? body.error))
      assert.deepEqual(body.outputs.map((one: any) => one.sha256), (await inside(1)).made)
      assert.equal(body.outputs[0].mime, 'image/png')
      if (dialect.usage) assert.ok(Number(dialect.usage(body.details)) > 0, JSON.stringify(body.details))
      if (dialect.words) assert.match(body.text ?? '', /apple/i)
      const money = await moneyOf(outer, body.id)
      assert.deepEqual([money.captured, await outer.audit(), await inner.audit()], [money.held, [], []])
    })

    test('two pictures are two different ones', async () => {
      const was = await taskCount()
      const { body } = await order(dialect, { parameters: { ...dialect.parameters, count: 2 } })
      assert.equal(body.outputs?.length, 2, JSON.stringify(body.problem ?? body.error))
      assert.deepEqual(body.outputs.map((one: any) => one.sha256).sort(), (await inside(await taskCount() - was)).made)
    })

    test('a picture that is handed in arrives as it is', async () => {
      const given = await paint(96, 64)
      const { body } = await order(dialect, { prompt: 'make it black and white', inputs: [{ base64: given.toString('base64') }] })
      assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
      const { rows: [asset] } = await outer.database.query<{ hash: string }>(`select encode(sha256, 'hex') as hash from asset where id = $1`, [body.inputs[0].asset])
      assert.deepEqual((await inside(1)).handed, [asset!.hash])
    })

    const refused = (what: string, code: string, more: object, field?: string) => test(`${what} is ${code}, and costs nothing`, async () => {
      const { body } = await order(dialect, more)
      assert.deepEqual([body.problem?.code, ...field ? [body.problem?.field] : []], [code, ...field ? [field] : []], JSON.stringify(body.problem ?? body.error))
      assert.equal((await moneyOf(outer, body.id)).captured, 0)
      assert.ok(!JSON.stringify(body).includes(inner.testKey))
    })
    refused('a prompt that is refused inside', 'content_rejected', { prompt: 'a red apple sandbox:moderation' })
    refused('want of credit inside', dialect.dry ?? 'provider_not_configured', { prompt: 'a red apple sandbox:credits' })
    refused('a parameter the inner house does not take', dialect.wrong.code, { parameters: dialect.wrong.parameters }, dialect.provider === 'plantain' ? 'parameters.aspect_ratio' : undefined)

    test(`a line that breaks after the inner house has taken it buys once, ${dialect.finds ? 'and the picture is found' : 'and is never asked again'}`, async () => {
      const was = await taskCount()
      line.cut(dialect.buys)
      const { body } = await order(dialect)
      const money = await moneyOf(outer, body.id)
      assert.deepEqual([line.cuts(), await taskCount() - was], [1, 1])
      if (dialect.finds) {
        assert.deepEqual([body.state, body.attempts, money.captured], ['done', 1, money.held], JSON.stringify(body.problem))
        assert.deepEqual(body.outputs.map((one: any) => one.sha256), (await inside(1)).made)
      } else assert.deepEqual([body.problem?.code, money.captured], ['outcome_unknown', 0])
    })
  })
}
