/**
 * Every provider keeps its contract. Runs over whatever the loader found; a new provider is held against this without being named here.
 *
 * Each is asked: the sandbox its renderer, the others the rehearsal of their upstream in `test/upstreams/<id>.ts`, which says what every
 * fault comes to there (`faultNames` in `loopback.ts`). All of them stand behind one house, each with a card of its own, so what is held,
 * captured and written down is what the house did. What is peculiar to an upstream is in `test/providers-<id>.test.ts`.
 */
import assert from 'node:assert/strict'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import sharp from 'sharp'
import { hookUrl } from '../../src/hooks.ts'
import { sharedSecret } from '../../src/house.ts'
import { loadFolders } from '../../src/kit/loader.ts'
import type { Job, Provider } from '../../src/providers/contract.ts'
import { probeUpstream } from '../../src/providers.ts'
import { startUpstream } from '../../src/providers/rehearsal/upstream.ts'
import { bytesOf, job, keepsContract, make, open, recordingFetch } from '../kit/contract.ts'
import { testHouse, type TestHouse } from '../kit/house.ts'
import { checkMoney, send, titleOf } from '../kit/live.ts'
import { faultNames, fine, type Fault, type Rehearsal } from '../upstreams/loopback.ts'

const providers = await loadFolders<Provider>(new URL('../../src/providers/', import.meta.url))
const rehearsals = new Map(await Promise.all(providers.map(async ({ id }) => {
  const { rehearse } = await import(`../upstreams/${id}.ts`) as { rehearse(): Promise<Rehearsal> }
  return [id, await rehearse()] as const
})))
after(() => Promise.all([...rehearsals.values()].map((one) => one.close())))

test('the house has the two providers it cannot do without', () => {
  assert.deepEqual(['rehearsal', 'sandbox'].filter((id) => !providers.some((provider) => provider.id === id)), [])
})

for (const provider of providers) keepsContract(provider, () => rehearsals.get(provider.id)!)

/** What each comes to, as far as it can be had there. */
const rowsOf = ({ faults, tellsCost }: Rehearsal): (Fault & { name: string })[] => faultNames.flatMap((name) => {
  const fault = faults[name]
  if (typeof fault === 'string') return []
  // Of what came an upstream says what it took, or only a price list can.
  const came = fault.captured > 0 || fault.code === 'bad_output' || fault.code === 'output_expired'
  return [{ name, ...(came && fault.bought > 0 ? { costs: [tellsCost && !fault.film ? 'told' : 'open'] } : {}), ...fault }]
})
const named = (id: string, name: string) => `${id.replaceAll('-', '_')}_${name.replace(/[A-Z]/g, (letter) => `_${letter}`)}`.toUpperCase()

/** A card whose parameters have one value each: an order goes to this provider and nobody else. */
const card = (id: string, { model, parameters = {}, kind = 'image' }: { model: string; parameters?: Record<string, unknown>; kind?: 'image' | 'video' | 'text' }) => ({
  id: `contract-${kind}-${id}`, title: id, family: 'contract', maker: 'Plantain', kind, description: 'For tests.', operations: [{ image: 'generate', video: 'video', text: 'write' }[kind]], aliases: [], dialects: {},
  parameters: { type: 'object', additionalProperties: false, ...('aspect_ratio' in parameters && kind === 'image' ? { 'x-pixels': 'area' } : {}), properties: { ...parameters, ...(kind === 'text' ? { max_tokens: { type: 'integer', minimum: 1, maximum: 100, default: 100 } } : { count: { type: 'integer', minimum: 1, maximum: 4, default: 1 } }) } },
  prompt: { required: true, charactersMax: 5_000 }, inputs: { min: 0, max: 0, mimes: ['image/png'], bytesMax: 1, pixelsMax: 1, roles: {} },
  output: { kind, countMax: kind === 'text' ? 1 : 4, ...(kind === 'video' ? { seconds: { default: 8, max: 8 } } : {}) },
  prices: [{ from: '2026-01-01', source: 'tests', ...(kind === 'text' ? { rows: [{ micros: 0, per: 'tokens' }], tokens: { textIn: 1_000_000, imageIn: 1_000_000, textOut: 1_000_000, imageOut: 1_000_000 } } : { rows: [{ micros: 40_000, per: kind }] }) }], life: { state: 'active' }, routes: [{ provider: id, model, order: 1, weight: 1 }], endWithinS: 120,
})

describe('every fault is described', () => {
  for (const provider of providers) {
    test(provider.id, () => {
      const { settings, faults, callBack, stats } = rehearsals.get(provider.id)!
      const connection = open(provider, settings)
      for (const name of faultNames) {
        const fault = faults[name]
        assert.ok(fault !== undefined && (typeof fault !== 'string' || /^[A-Z].{10,}\.$/.test(fault)), `${name}: what it comes to, or a sentence why it cannot be had`)
      }
      if (stats && connection.poll) assert.equal(typeof faults.lost_job, 'object', 'what is looked at can be lost')
      assert.equal(connection.verify !== undefined, callBack !== undefined, 'an upstream that signs its call backs is rehearsed signing them')
    })
  }
})

describe('a probe', () => {
  const signal = () => AbortSignal.timeout(60_000)
  const probed = providers.filter(({ probe }) => probe)
  test('most have one', () => assert.ok(probed.length >= 18, probed.map(({ id }) => id).join()))
  for (const provider of probed) {
    test(`of ${provider.id} finds its upstream, tells a wrong key and a silence apart, and asks for nothing`, async () => {
      const { settings, key, stats, clear } = rehearsals.get(provider.id)!
      clear()
      const ask = (changed: Record<string, unknown>) => probeUpstream(provider.probe!({ ...settings, ...changed } as never), recordingFetch().fetch, signal())
      const { answers, takesKey, said } = await ask({})
      assert.deepEqual([answers, takesKey], [true, true], said)
      if (key !== null) {
        assert.ok(!said.includes(key), 'the key stays here')
        assert.equal((await ask({ apiKey: 'of-somebody-else' })).takesKey, false)
      }
      assert.equal((await ask({ baseUrl: 'http://127.0.0.1:1' })).answers, false)
      assert.equal(stats!().asked, 0)
    })
  }
})

describe('nothing waits inside', () => {
  test('no back door has a clock to wait by', () => {
    const sources = globSync('**/*.ts', { cwd: new URL('../../src/providers/', import.meta.url) }).filter((file) => !/\.test\.ts$|^rehearsal[/\\]upstream\.ts$/.test(file))
    assert.ok(sources.length > 50)
    assert.deepEqual(sources.filter((file) => /\b(setTimeout|setInterval|setImmediate)\b|timers\/promises|Atomics\.wait/.test(readFileSync(new URL(`../../src/providers/${file}`, import.meta.url), 'utf8'))), [])
  })
  for (const provider of providers) {
    // Two looks at one place are no loop: what leaves a queue between two questions is asked for once more.
    test(`${provider.id} hands in nothing twice in one call and does not look again and again, whatever it is answered`, async () => {
      const rehearsal = rehearsals.get(provider.id)!
      for (const { name, says, film } of rowsOf(rehearsal)) {
        const recording = recordingFetch()
        const connection = open(provider, rehearsal.settings, recording.fetch)
        const asked = job({ model: rehearsal.model, prompt: `a kite ${says}`, ...rehearsal.job, ...(rehearsal.writes ? { operation: 'write', parameters: { max_tokens: 100 } } : {}), ...(film ? { operation: 'video', model: rehearsal.film!.model, parameters: rehearsal.film!.parameters as Job['parameters'] } : {}) })
        const signal = AbortSignal.timeout(120_000)
        let outcome = await connection.submit(asked, signal).catch(() => null)
        assert.deepEqual(recording.repeated(1), [], `${name}: the order`)
        for (let looks = 0; outcome?.kind === 'wait' && looks < 3; looks++) {
          recording.clear()
          outcome = await connection.poll!(outcome.receipt, asked, signal).catch(() => null)
          assert.deepEqual(recording.repeated(2), [], `${name}: look ${looks + 1}`)
        }
      }
    })
  }
})

/** A back door's minute is two seconds here, so that what is waited for that long can be waited for. */
const beganMs = Date.now()
const providersNow = () => new Date(beganMs + (Date.now() - beganMs) * 30)

describe('money, fault by fault', { concurrency: providers.length }, () => {
  const cards = mkdtempSync(path.join(tmpdir(), 'contract-cards-'))
  let house: TestHouse
  let secret: Buffer
  before(async () => {
    const settings: Record<string, string> = { PLANTAIN_CARDS: cards }
    for (const [id, rehearsal] of rehearsals) {
      rehearsal.clear()
      for (const [name, value] of Object.entries(rehearsal.settings)) settings[named(id, name)] = String(value)
      Object.assign(settings, { [named(id, 'perMinute')]: '100000', [named(id, 'concurrency')]: '100' })
      const single = Object.fromEntries(Object.entries(rehearsal.film?.parameters ?? {}).map(([name, value]) => [name, { enum: [value], default: value }]))
      const written = [card(id, { ...rehearsal, kind: rehearsal.writes ? 'text' : 'image' }), ...rehearsal.film ? [card(id, { model: rehearsal.film.model, parameters: single, kind: 'video' })] : []]
      for (const one of written) writeFileSync(path.join(cards, `${one.id}.json`), JSON.stringify(one))
    }
    house = await testHouse({ settings, providersNow, liveDollars: 1_000 })
    secret = await sharedSecret(house.database, 'links')
  })
  after(async () => {
    await house?.close()
    rmSync(cards, { recursive: true })
  })

  for (const provider of providers) {
    describe(provider.id, { concurrency: 1 }, () => {
      const rehearsal = rehearsals.get(provider.id)!
      const kind = rehearsal.writes ? 'text' : 'image'
      const patience = rehearsal.job ? { priority: rehearsal.job.priority, end_within_s: 86_400 } : {}
      // Triggers of the sandbox count under test keys only.
      const keyOf = () => provider.id === 'sandbox' ? house.testKey : house.liveKey
      beforeEach(() => rehearsal.clear())
      after(async () => assert.deepEqual(await house.audit(), []))

      for (const { name, says, film, ...expected } of rowsOf(rehearsal)) {
        test(titleOf(name, expected), async () => {
          // Each fault meets an upstream that was well.
          await house.database.query('delete from provider_health where provider = $1', [provider.id])
          const { body } = await send(house, { model: `contract-${film ? 'video' : kind}-${provider.id}`, prompt: `a kite ${says}`, ...patience }, 55, keyOf())
          await checkMoney(house, body, { stats: rehearsal.stats?.(), key: rehearsal.key, takesMicros: rehearsal.tokens, expected })
        })
      }

      test('a call back that comes at once, twice, late or forged changes nothing and buys nothing', async () => {
        const { body: { id } } = await send(house, { model: `contract-${kind}-${provider.id}`, prompt: 'a kite', ...patience }, 0, keyOf())
        const message = (about = id as string) => rehearsal.callBack?.(about, Math.floor(providersNow().getTime() / 1_000)) ?? { body: '{}', headers: {} }
        const address = hookUrl(house.url, secret, provider.id, id)
        const call = async (told: ReturnType<typeof message>, url = address) => {
          const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...told.headers }, body: told.body })
          return { status: answer.status, repeated: (await answer.json() as { repeated?: boolean }).repeated === true }
        }
        const read = async () => {
          const look = async () => (await fetch(`${house.url}/plantain/v1/tasks/${id}/wait?timeout=55`, { headers: { authorization: `Bearer ${keyOf()}` } })).json() as any
          let seen = await look()
          for (let looks = 0; seen.ended_at === null && looks < 10; looks++) seen = await look()
          const { state, attempts, outputs, cost, ended_at } = seen
          return { state, attempts, outputs: outputs.map((one: any) => one.id), cost, ended_at }
        }

        assert.equal((await call(message(), `${address.slice(0, -2)}xx`)).status, 404, 'an address we did not give out')
        if (rehearsal.callBack) assert.equal((await call({ ...message(), headers: message('another').headers })).status, 401, 'signed for another job')
        const genuine = message()
        const twice = await Promise.all([call(genuine), call(genuine)])
        assert.deepEqual(twice.map(({ status }) => status), [200, 200])
        assert.equal(twice.filter(({ repeated }) => repeated).length, rehearsal.callBack ? 1 : 0)
        const ended = await read()
        assert.equal(ended.state, 'done')
        // Signed anew: by the fast clock what was signed before it ended may be too old by now.
        assert.equal((await call(message())).status, 200, 'late')
        assert.deepEqual(await read(), ended)
        if (rehearsal.stats) { const { asked, bought } = rehearsal.stats(); assert.deepEqual({ asked, bought }, { asked: fine.asked, bought: fine.bought }) }
      })
    })
  }
})

test('the rehearsal counts what it was asked, by task', async () => {
  const upstream = await startUpstream()
  await make(open(providers.find(({ id }) => id === 'rehearsal')!, { baseUrl: upstream.url }), job({ taskId: 'counted' }))
  assert.deepEqual(upstream.stats().tasks, { counted: { asked: 1, accepted: 1, delivered: 1 } })
  await upstream.close()
})

describe('the sandbox', () => {
  const sandbox = providers.find(({ id }) => id === 'sandbox')!
  test('draws the same pixels for the same job', async () => {
    const connection = open(sandbox, { threads: 1 })
    const pixels = async () => (await sharp(await bytesOf((await make(connection, job({ parameters: { seed: 11 } }))).made[0]!)).raw().toBuffer()).toString('base64')
    assert.equal(await pixels(), await pixels())
  })
  test('says which words it had no picture for', async () => {
    const { details, text } = await make(open(sandbox, { threads: 1 }), job({ prompt: 'a red apple and a flibbertigibbet' }))
    const { understood, renderer_version } = details!.sandbox as { understood: { unmatched: string[] }; renderer_version: string }
    assert.ok(understood.unmatched.includes('flibbertigibbet'))
    assert.match(renderer_version, /^\d+\.\d+\.\d+$/)
    assert.ok(text && text.length > 5)
  })
  test('edits a picture in its own size', async () => {
    const picture = await sharp({ create: { width: 90, height: 60, channels: 3, background: '#c04030' } }).png().toBuffer()
    const input: Job['inputs'][number] = { assetId: 'a', role: 'reference', mime: 'image/png', sizeBytes: picture.length, width: 90, height: 60, sha256: '', read: async () => picture, link: () => null }
    const { made } = await make(open(sandbox, { threads: 1 }), job({ operation: 'edit', prompt: 'make it black and white', inputs: [input], width: null, height: null }))
    const { width, height } = await sharp(await bytesOf(made[0]!)).metadata()
    assert.deepEqual([width, height], [90, 60])
  })
  test('refuses an edit of nothing, in a sentence', async () => {
    await assert.rejects(make(open(sandbox, { threads: 1 }), job({ operation: 'edit', prompt: 'brighter' })), { name: 'Problem', code: 'bad_request' })
  })
})
