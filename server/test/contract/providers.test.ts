/**
 * Every provider keeps its contract. Runs over whatever the loader found; a new provider is held against this without being named here.
 *
 * Each is asked: the sandbox its renderer, the others the rehearsal of their upstream in `test/upstreams/<id>.ts`.
 */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import sharp from 'sharp'
import { loadFolders } from '../../src/kit/loader.ts'
import type { Job, Provider } from '../../src/providers/contract.ts'
import { startUpstream } from '../../src/providers/rehearsal/upstream.ts'
import { bytesOf, job, keepsContract, make, open } from '../kit/contract.ts'
import type { Rehearsal } from '../upstreams/loopback.ts'

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
