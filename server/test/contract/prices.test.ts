/**
 * What is sold dearer is asked for in other words: over every card and each of its routes.
 *
 * A parameter that an upstream cannot be told, and that the price follows, would otherwise be paid and never made. Nobody outside is asked: what
 * would go out is kept and refused.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import sharp from 'sharp'
import { casesOf } from '../../src/catalog/cases.ts'
import { loadCatalog } from '../../src/catalog/catalog.ts'
import { listAt } from '../../src/catalog/price.ts'
import type { Asset } from '../../src/domain/asset.ts'
import type { Card, CardRoute } from '../../src/domain/card.ts'
import type { Operation, Role } from '../../src/domain/order.ts'
import type { Json } from '../../src/domain/outcome.ts'
import { Problem } from '../../src/domain/problem.ts'
import { loadFolders } from '../../src/kit/loader.ts'
import type { Job, Provider } from '../../src/providers/contract.ts'
import { job, open } from '../kit/contract.ts'

const now = new Date('2026-11-30T12:00:00Z')
const catalog = loadCatalog(undefined, () => now)
const providers = new Map((await loadFolders<Provider>(new URL('../../src/providers/', import.meta.url))).map(one => [one.id, one]))
const png = await sharp({ create: { width: 640, height: 640, channels: 3, background: '#3377aa' } }).png().toBuffer()
const asset = { id: 'a', mime: 'image/png', sizeBytes: png.length, width: 640, height: 640, sha256: 'f'.repeat(64) } as Asset

let asked: string[] = []
const refusing: typeof globalThis.fetch = async (url, { body, method = 'GET' } = {}) => {
  const said = body instanceof FormData ? JSON.stringify([...body].map(([name, value]) => [name, typeof value === 'string' ? value : 'a file'])) : body === undefined || body === null ? '' : Buffer.from(await new Response(body).arrayBuffer()).toString('latin1')
  asked.push(`${method} ${String(url)} ${said}`)
  return Response.json({ error: { message: 'no' } }, { status: 400 })
}

/** Addresses lead nowhere, for nothing is asked through them. */
const settingsOf = ({ settings }: Provider): Record<string, string> => Object.fromEntries(Object.keys(settings.properties).flatMap(name => {
  const known: Record<string, string> = { apiKey: 'k:k', baseUrl: 'http://upstream.example/v1', project: 'plantain-rehearsed', region: 'us-east-1' }
  return known[name] === undefined ? [] : [[name, known[name]]]
}))

const needsPicture = ({ inputs }: Card, operation: Operation) => inputs.min > 0 || operation === 'edit' || operation === 'upscale' || operation === 'remove_background'
const roleOf = ({ inputs: { roles } }: Card): Role => (['first_frame', 'character', 'reference'] as const).find(role => roles[role])!

/** Every order the card's prices tell apart, as a job and with its price. */
function* ordersOf(card: Card, operation: Operation, { model, batchHoursMin }: CardRoute): Generator<{ parameters: Record<string, Json>; micros: number; job: Job }> {
  for (const { operation: _, priority, output_tier, ...parameters } of casesOf(card, operation, listAt(card.prices, now).rows)) {
    if (priority === 'batch' || output_tier !== undefined && output_tier !== '2K') continue
    const pictures = needsPicture(card, operation) ? [asset] : []
    const inputs = pictures.map(() => ({ assetId: 'a', role: roleOf(card) }))
    try {
      const checked = catalog.check({ model: card.id, operation, prompt: 'a kite', parameters, inputs, wire: null, metadata: {}, callbackUrl: null, priority: 'interactive' } as never, pictures, now, { livemode: true })
      yield {
        parameters, micros: checked.priceMicros,
        job: job({
          key: 'key', cardId: card.id, model, operation, parameters: checked.parameters, width: checked.width, height: checked.height, livemode: true,
          ...(batchHoursMin === undefined ? {} : { priority: 'batch' as const, endBy: new Date(Date.now() + 86_400_000) }),
          inputs: pictures.map(({ mime, sizeBytes, width, height, sha256 }, index) => ({ ...inputs[index]!, mime, sizeBytes, width, height, sha256, read: async () => png, link: () => 'https://plantain.example/a.png' })),
        }),
      }
    } catch (thrown) {
      // Values that go with each other only.
      if (!(thrown instanceof Problem)) throw thrown
    }
  }
}

describe('what has another price is asked for in other words, or refused', () => {
  for (const card of catalog.all()) {
    if (card.life.state === 'retired' || card.prices.length === 0 || card.output.kind === 'text') continue
    for (const route of card.routes) {
      const { provider: id, model } = route
      if (id === 'sandbox') continue
      test(`${card.id} by ${id} (${model})`, async () => {
        const provider = providers.get(id)!
        const connection = open(provider, settingsOf(provider), refusing)
        let orders = 0
        for (const operation of card.operations) {
          const said = new Map<string, { micros: number; parameters: Record<string, Json> }>()
          for (const one of ordersOf(card, operation, route)) {
            asked = []
            await connection.submit(one.job, AbortSignal.timeout(60_000)).catch(() => null)
            const words = asked.at(-1)
            if (words === undefined) continue
            orders++
            const before = said.get(words)
            assert.ok(before === undefined || before.micros === one.micros, `${operation} ${JSON.stringify(one.parameters)} at ${one.micros} is asked for like ${JSON.stringify(before?.parameters)} at ${before?.micros}`)
            said.set(words, one)
          }
        }
        assert.ok(orders > 0, 'something is asked for')
      })
    }
  }
})
