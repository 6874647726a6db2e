/** Workflows that come with the house: each is sound, runs with a test key from outside, and gives what its description says. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import sharp from 'sharp'
import { testHouse, type TestHouse } from './kit/house.ts'

let house: TestHouse
before(async () => { house = await testHouse() })
after(() => house?.close())

const ask = async (method: string, path: string, body?: unknown): Promise<{ status: number; body: any }> => {
  const answer = await fetch(`${house.url}/plantain/v1${path}`, { method, headers: { authorization: `Bearer ${house.testKey}`, 'content-type': body instanceof Uint8Array ? 'application/octet-stream' : 'application/json' }, ...(body === undefined ? {} : { body: body instanceof Uint8Array ? body as Uint8Array<ArrayBuffer> : JSON.stringify(body) }) })
  return { status: answer.status, body: await answer.json() }
}
/** Approves whatever a person would be asked, until it has ended. */
async function run(slug: string, inputs: object): Promise<any> {
  let { body } = await ask('POST', '/executions?wait=60', { workflow: `ready:${slug}`, inputs })
  assert.ok(body.id, JSON.stringify(body))
  while (body.state === 'running' || body.state === 'waiting_for_review') {
    for (const review of (await ask('GET', `/reviews?state=open&execution=${body.id}`)).body.items) assert.equal((await ask('POST', `/reviews/${review.id}`, { action: 'approve', chosen: [1] })).status, 200)
    body = (await ask('GET', `/executions/${body.id}?wait=60`)).body
  }
  assert.equal(body.state, 'done', JSON.stringify(body.problem))
  return body
}
const sizeOf = async ({ url }: { url: string }) => { const { width, height, format } = await sharp(await (await fetch(url)).bytes()).metadata(); return [width, height, format] }
const upload = async (width: number, height: number) => {
  const bytes = await sharp({ create: { width, height, channels: 3, background: '#f2f2f2' } }).composite([{ input: { create: { width: Math.round(width / 3), height: Math.round(height / 3), channels: 3, background: '#228844' } }, gravity: 'centre' }]).png().toBuffer()
  return (await ask('POST', '/assets', new Uint8Array(bytes))).body.id as string
}

describe('ready-made', () => {
  test('there are eight, all sound, each with an example for every input but pictures; a copy of one can be saved and changed', async () => {
    const { body: { items } } = await ask('GET', '/ready-made')
    assert.deepEqual(items.map((one: any) => one.slug), ['brand-set', 'catalogue-refresh', 'localised-posters', 'product-variants', 'social-formats', 'storyboard-film', 'teaching-cards', 'visual-regression'])
    for (const { slug, graph, example } of items) {
      const lint = (await ask('POST', '/workflows/lint', graph)).body
      assert.deepEqual([slug, lint.ok, lint.warnings], [slug, true, []])
      const pictures = graph.inputs.filter((input: any) => graph.nodes.find((node: any) => node.id === input.node).kind === 'image').map((input: any) => input.name)
      assert.deepEqual([...Object.keys(example), ...pictures].sort(), graph.inputs.map((input: any) => input.name).sort(), slug)
    }
    const saved = await ask('POST', '/ready-made/social-formats')
    assert.deepEqual([saved.status, saved.body.slug, (await ask('GET', '/workflows/social-formats')).body.graph.nodes.length], [201, 'social-formats', 21])
    assert.deepEqual([(await ask('POST', '/ready-made/none')).status, (await ask('POST', '/executions', { workflow: 'ready:none' })).status], [404, 404])
  })

  test('a product, its scenes, twice the size', async () => {
    const { outputs } = await run('product-variants', { product: 'a red mug', scenes: ['on grass'] })
    assert.deepEqual(await sizeOf(outputs.shot), [1024, 1024, 'png'])
    assert.deepEqual(await sizeOf(outputs.variants[0]), [2048, 2048, 'png'])
    assert.equal((await sizeOf(outputs.sheet))[2], 'png')
  })

  test('a poster in each language', async () => {
    const { outputs } = await run('localised-posters', { languages: ['de', 'ja'] })
    assert.deepEqual(outputs.headlines, ['Sommer-Sale', 'サマーセール'])
    assert.deepEqual(await sizeOf(outputs.posters[1]), [896, 1200, 'png'])
  })

  test('a set a person has chosen', async () => {
    const { outputs, runs } = await run('brand-set', { subjects: ['a lamp', 'a vase'] })
    assert.equal(outputs.set.length, 2)
    assert.equal((await sizeOf(outputs.set[0]))[2], 'webp')
    assert.equal(runs.failed ?? 0, 0)
  })

  test('a row of a catalogue', async () => {
    const { outputs } = await run('catalogue-refresh', { photo: await upload(600, 600), title: 'A box' })
    assert.deepEqual(await sizeOf(outputs.image), [1200, 1200, 'webp'])
    assert.ok(outputs.alt.length > 10)
  })

  test('fixtures: new, then the same, then one that differs in red', async () => {
    const fixtures = ['a red apple', 'a blue car']
    assert.deepEqual((await run('visual-regression', { fixtures })).outputs.states, ['new', 'new'])
    // Drawn again, not taken from before: else nothing that changed in the model would ever show.
    const again = await run('visual-regression', { fixtures })
    assert.deepEqual([again.outputs.states, again.cost.micros], [['same', 'same'], 2_000])
    const changed = await run('visual-regression', { fixtures: ['a red apple', 'a green tree'] })
    assert.deepEqual(changed.outputs.states, ['same', 'different'])
    assert.equal((await sizeOf(changed.outputs.differences.at(-1)))[0], 512)
  })

  test('a storyboard and its films', async () => {
    const { outputs } = await run('storyboard-film', { scenes: ['a lighthouse at dawn'] })
    assert.equal((await sizeOf(outputs.storyboard))[2], 'png')
    assert.match(outputs.films[0].mime, /^(video|image)\//)
  })

  test('five formats of one picture, for nothing', async () => {
    const { outputs, cost } = await run('social-formats', { picture: await upload(1800, 1200) })
    assert.deepEqual(await Promise.all(['square', 'portrait', 'story', 'wide', 'banner'].map(name => sizeOf(outputs[name]))), [[1080, 1080, 'jpeg'], [1080, 1350, 'jpeg'], [1080, 1920, 'jpeg'], [1200, 675, 'jpeg'], [1500, 500, 'jpeg']])
    assert.equal(cost.micros, 0)
  })

  test('cards to teach with', async () => {
    const { outputs } = await run('teaching-cards', { topics: ['owl'] })
    assert.equal(outputs.texts.length, 1)
    assert.equal((await sizeOf(outputs.sheet))[2], 'png')
  })
})
