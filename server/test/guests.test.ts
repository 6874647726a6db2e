/**
 * Adding a provider is adding a folder: one that lies outside this checkout is found, kept to the contract, told its settings, and
 * serves a live task of its own card, and nothing in `server/src` knows of it.
 */
import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Problem } from '../src/domain/problem.ts'
import { loadFolders, welcomeFolder } from '../src/kit/loader.ts'
import type { Provider } from '../src/providers/contract.ts'
import { job, keepsContract, open } from './kit/contract.ts'
import { testHouse } from './kit/house.ts'
import { moneyOf, send } from './kit/live.ts'
import { counter, listen, paint, readFault } from './upstreams/loopback.ts'

const folder = await mkdtemp(join(tmpdir(), 'plantain-guests-'))
await cp(join(import.meta.dirname, 'kit', 'guests'), folder, { recursive: true })
await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
const cards = join(import.meta.dirname, 'kit', 'guest-cards')

const counts = counter()
const press = await listen(async ({ json: { prompt, width, height, count } }) => {
  if (readFault(prompt) === 'busy' && counts.next(prompt) === 1) return { status: 503, json: {} }
  return { json: { cards: await Promise.all(Array.from({ length: count }, async () => (await paint(width, height)).toString('base64'))) } }
})
after(async () => {
  await press.close()
  await rm(folder, { recursive: true })
})

const [postcard] = await loadFolders<Provider>(await welcomeFolder(folder))
keepsContract(postcard!, () => ({ settings: { baseUrl: press.url }, model: 'glossy' }))

test('a problem made out there is one in here', async () => {
  const outcome = await open(postcard!, { baseUrl: press.url }).submit(job({ count: 5 }), AbortSignal.timeout(60_000))
  assert.ok(outcome.kind === 'failed' && outcome.problem instanceof Problem)
})

/** Settings in the environment, as an operator writes them. */
const settings = { PLANTAIN_PROVIDERS: folder, PLANTAIN_CARDS: cards, POSTCARD_BASE_URL: press.url }

test('a live order is made by it, paid once, and retried where it says busy', async () => {
  const house = await testHouse({ settings })
  try {
    for (const [prompt, attempts] of [['a harbour', 1], ['a harbour fault:busy', 2]] as const) {
      press.reset()
      const { body } = await send(house, { model: 'postcard-1', prompt, parameters: { size: '96x64', count: 2 } })
      assert.deepEqual([body.state, body.served_by, body.attempts, body.outputs?.map((one: any) => [one.width, one.height])], ['done', 'postcard', attempts, [[96, 64], [96, 64]]], JSON.stringify(body))
      assert.deepEqual([press.heard.length, await moneyOf(house, body.id)], [attempts, { held: 40_000, captured: 40_000 }])
    }
    assert.deepEqual(await house.audit(), [])
  } finally { await house.close() }
})

test('without its setting the caller is told which one is missing, and nothing is held', async () => {
  const house = await testHouse({ settings: { ...settings, POSTCARD_BASE_URL: '' } })
  try {
    const { body } = await send(house, { model: 'postcard-1', prompt: 'a harbour' })
    assert.equal(body.error?.code, 'provider_not_configured')
    assert.match(body.error.message, /POSTCARD_BASE_URL/)
    const { rows: [{ tasks, holds }] } = await house.database.query(`select (select count(*)::int from task) as tasks, (select count(*)::int from ledger where kind = 'hold') as holds`) as { rows: any[] }
    assert.deepEqual([tasks, holds], [0, 0])
  } finally { await house.close() }
})

/** A house with such a folder of providers does not open. */
const refuses = (what: string, files: Record<string, string>, message: RegExp, path?: string) => test(what, async () => {
  const other = await mkdtemp(join(tmpdir(), 'plantain-guests-'))
  try {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(join(other, name), { recursive: true })
      await writeFile(join(other, name, 'index.ts'), text)
    }
    await assert.rejects(testHouse({ settings: { PLANTAIN_PROVIDERS: path ?? other } }), message)
  } finally { await rm(other, { recursive: true }) }
})
const declare = (id: string, more = '') => `export default { id: '${id}', title: 'Some press', settings: { type: 'object', properties: {} }, limits: { concurrency: 1, perMinute: null, perProcess: null }, repeat: 'never', connect: () => ({}), ${more} }`
refuses('a folder that is not there is named', {}, /no folder \/there\/is\/none/, '/there/is/none')
refuses('the name of one of ours is taken', { kie: declare('kie') }, /"kie" is there twice/)
refuses('a repeat mode nobody knows is refused', { press: declare('press', `repeat: 'maybe'`) }, /provider press .* repeat must say/)
refuses('a limit of nought is refused', { press: declare('press', 'limits: { concurrency: 0, perMinute: null, perProcess: null }') }, /limits\.concurrency must be/)
refuses('a limit that is missing is refused', { press: declare('press', 'limits: { concurrency: 1 }') }, /limits\.perMinute is missing/)
refuses('one that connects to nothing is refused', { press: declare('press', 'connect: null') }, /has no connect/)
refuses('a package nobody has is named', { press: `import 'no-such-package-anywhere'\n${declare('press')}` }, /no-such-package-anywhere/)
