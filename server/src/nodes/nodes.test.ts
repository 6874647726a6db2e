/** Every kind of node by itself: what it makes, that it makes it again the same, and what it refuses. */
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { describe, test } from 'node:test'
import { setPlate } from '@plantain/sandbox/type'
import pixelmatch from 'pixelmatch'
import sharp from 'sharp'
import { computeWith } from '../bench.ts'
import { Problem } from '../domain/problem.ts'
import type { Json } from '../domain/outcome.ts'
import type { Media } from '../domain/graph/graph.ts'
import { resolve, type Values } from '../domain/graph/values.ts'
import { loadFolders } from '../kit/loader.ts'
import { openThreads } from '../kit/threads.ts'
import { createKinds } from '../workflows/kinds.ts'
import type { Bench, Computing, Node, NodeOrder, Publication, TypeOptions } from './contract.ts'
import { differ } from './toolkit/likeness.ts'
import { openPicture, pixelsOf } from './toolkit/pixels.ts'

const nodes = await loadFolders<Node>(new URL('./', import.meta.url))
const kinds = createKinds(nodes)

/** What a graph would hand a node: settings checked, defaults filled in. */
function inputsOf(kind: string, settings: Record<string, unknown>): Values {
  const face = kinds.faces.get(kind)!
  const values = resolve({ id: kind, kind, settings: settings as Values }, face, [], {}) as Values
  kinds.checkInputs(kind, face, values)
  return values
}

const bench = { signal: new AbortController().signal, livemode: false, now: () => new Date(0) } as Bench
async function run(kind: string, settings: Record<string, unknown>, at: Bench = bench): Promise<Record<string, Json>> {
  const node = kinds.node(kind)
  assert.ok('run' in node, `${kind} computes`)
  return await node.run(inputsOf(kind, settings) as never, at) as Record<string, Json>
}
/** The same as the house has it done: on a thread. What the node itself would do here must not happen. */
const threads = openThreads({ script: new URL('../bench-thread.ts', import.meta.url), threads: 1 })
const runApart = (kind: string, settings: Record<string, unknown>, at: Bench): Promise<Record<string, Json>> =>
  computeWith(threads)({ ...kinds.node(kind) as Computing, run: () => assert.fail(`${kind} ran on the thread everybody waits for`) }, inputsOf(kind, settings), at)
const order = (kind: string, settings: Record<string, unknown>): NodeOrder => {
  const node = kinds.node(kind)
  assert.ok('order' in node, `${kind} buys`)
  return node.order(inputsOf(kind, settings) as never)
}

const gives = (what: string, kind: string, settings: Record<string, unknown>, expected: Record<string, unknown>) => test(`${kind}: ${what}`, async () => {
  assert.deepEqual(await run(kind, settings), expected)
})
const refuses = (what: string, kind: string, settings: Record<string, unknown>, words: RegExp, at: Bench = bench) => test(`${kind} refuses ${what}`, async () => {
  await assert.rejects(async () => run(kind, settings, at), thrown => thrown instanceof Problem && words.test(thrown.message) && thrown.message.length > 20 || assert.fail(String(thrown)))
})
const picture = (letter: string, more: Partial<Media> = {}): Media => ({ asset: letter.repeat(32), sha256: letter.repeat(64), mime: 'image/png', width: 100, height: 80, ...more })
const film = picture('f', { mime: 'video/mp4', width: null, height: null })

test('every kind says what it is, and what each of its ports is for', () => {
  for (const face of kinds.faces.values()) {
    assert.ok(face.description.length > 10 && face.description.endsWith('.'), face.id)
    for (const port of face.inputs) assert.ok(typeof port.schema.description === 'string' && port.schema.description.length > 3, `${face.id}.${port.id} has no description`)
  }
})

describe('inputs', () => {
  gives('a number', 'number', { number: 3.5 }, { number: 3.5 })
  gives('yes', 'boolean', { value: true }, { value: true })
  gives('no where nothing is said', 'boolean', {}, { value: false })
  gives('a film', 'video', { video: film }, { video: film })
  refuses('a picture', 'video', { video: picture('a') }, /takes a film, and what came is image\/png/)
  refuses('a film', 'image', { image: film }, /takes a picture/)
  refuses('a picture', 'audio', { audio: picture('a') }, /takes a sound/)
  refuses('a text', 'number', { number: 'three' }, /number/)

  const files: Record<string, { mime: string; text: string; media?: Media }> = {
    rows: { mime: 'application/jsonl', text: '{"a":1}\n{"a":2}\n' }, lines: { mime: 'text/plain', text: 'one\n\ntwo\n' }, list: { mime: 'application/json', text: '["x","y"]' },
    picture: { mime: 'image/png', text: '', media: picture('a') }, noise: { mime: 'application/octet-stream', text: '\0\x01' },
  }
  const withFiles = { ...bench, async file(id: string) {
    const { mime, text, media = null } = files[id]!
    return { name: `${id}.x`, mime, sizeBytes: id === 'rows' ? 20 : text.length, media, open: async () => Buffer.from(text) }
  } } satisfies Bench
  const file = (what: string, id: string, expected: object) => test(`file: ${what}`, async () => assert.deepEqual(await run('file', { file: id }, withFiles), { ...expected, name: `${id}.x` }))
  file('rows of JSONL', 'rows', { text: files.rows!.text, items: [{ a: 1 }, { a: 2 }] })
  file('lines', 'lines', { text: files.lines!.text, items: ['one', 'two'] })
  file('a JSON list', 'list', { text: '["x","y"]', json: ['x', 'y'], items: ['x', 'y'] })
  file('a picture', 'picture', { image: picture('a') })
  gives('a value in its place', 'file', { json: { a: [1] } }, { text: '{"a":[1]}', json: { a: [1] } })
  gives('a text in its place', 'file', { text: 'one\ntwo' }, { text: 'one\ntwo', items: ['one', 'two'] })
  refuses('bytes that are no text', 'file', { file: 'noise' }, /neither a picture nor text/, withFiles)
  refuses('nothing at all', 'file', {}, /one of file, text and json/)
  refuses('two at once', 'file', { text: 'a', json: 1 }, /one of file, text and json/)
})

describe('what is bought', () => {
  const [a, b, m] = ['a', 'b', 'c'].map(letter => picture(letter))
  const buys = (kind: string, settings: Record<string, unknown>, expected: object) => test(`${kind} orders it`, () => assert.deepEqual(order(kind, settings), expected))
  buys('edit', { prompt: 'bluer', image: a, mask: m, images: [b], styles: [a], parameters: { seed: 1 } }, {
    model: 'nano-banana-2-1', operation: 'edit', prompt: 'bluer', parameters: { seed: 1 },
    inputs: [{ asset: a!.asset, role: 'reference' }, { asset: b!.asset, role: 'reference' }, { asset: a!.asset, role: 'style' }, { asset: m!.asset, role: 'mask' }] })
  buys('upscale', { image: a, factor: 4 }, { model: 'topaz-image-upscale', operation: 'upscale', prompt: '', parameters: { factor: 4 }, inputs: [{ asset: a!.asset, role: 'reference' }] })
  buys('remove_background', { image: a, model: 'sandbox-1' }, { model: 'sandbox-1', operation: 'remove_background', prompt: '', parameters: {}, inputs: [{ asset: a!.asset, role: 'reference' }] })
  buys('generate_video', { prompt: 'waves', first_frame: a, last_frame: b, images: [m] }, {
    model: 'veo-3.1-fast', operation: 'video', prompt: 'waves', parameters: {}, inputs: [{ asset: a!.asset, role: 'first_frame' }, { asset: b!.asset, role: 'last_frame' }, { asset: m!.asset, role: 'reference' }] })
  test('a film is read as one', () => {
    const node = kinds.node('generate_video')
    assert.ok('read' in node)
    assert.deepEqual(node.read({ outputs: [film], text: 'said', details: {}, taskId: 't', costMicros: 1 }, {} as never), { video: film, text: 'said' })
  })
  const refusesOrder = (what: string, kind: string, settings: object, words: RegExp) => test(`${kind} refuses ${what}`, () => assert.throws(() => order(kind, { ...settings }), words))
  refusesOrder('an empty prompt', 'edit', { prompt: '', image: a }, /prompt/)
  refusesOrder('no picture', 'upscale', {}, /image is missing/)
  refusesOrder('a film to upscale', 'upscale', { image: film }, /takes a picture/)
})

describe('texts', () => {
  gives('texts in order, empty ones left out', 'concat', { text2: 'b', text1: 'a', text3: ' ', texts: ['c', 'd'], separator: ', ' }, { text: 'a, b, c, d' })
  refuses('nothing', 'concat', { text1: ' ' }, /nothing to put together/)

  gives('names, paths, single values, and what stands where there is none', 'template',
    { template: '{{ product.name }}, {{lines.1}}, {{value1}}={{colour}}, {{price|free}}', values: { product: { name: 'Mug' }, lines: ['x', 'y'] }, value1: 'red', names: ['colour'] }, { text: 'Mug, y, red=red, free' })
  gives('a place that is never closed, in one pass', 'template', { template: `{{${' '.repeat(19_000)}` }, { text: `{{${' '.repeat(19_000)}` })
  gives('numbers and lists', 'template', { template: '{{n}} {{l}}', values: { n: 2, l: ['a', 'b'] } }, { text: '2 a, b' })
  gives('no place where that is wanted', 'template', { template: 'a{{b}}c', missing: 'empty' }, { text: 'ac' })
  gives('the place where that is wanted', 'template', { template: 'a{{b}}c', missing: 'keep' }, { text: 'a{{b}}c' })
  refuses('a name nothing was given for', 'template', { template: '{{colour}}', values: { color: 'red' } }, /Did you mean \{\{color\}\}/)
  gives('a place that is put together to hurt, as fast as any other', 'template', { template: `{{${' '.repeat(50_000)}` }, { text: `{{${' '.repeat(50_000)}` })
  refuses('a long value in many places', 'template', { template: '{{value1}}'.repeat(50_000), value1: 'x'.repeat(500_000) }, /more than 4 million characters/)
  refuses('a list of values', 'template', { template: 'x', values: [1] }, /JSON object/)
  refuses('a name as long as a page', 'template', { template: `{{${'x'.repeat(300_000)}}}`, values: { ['x'.repeat(299_999)]: 1 } }, /nothing was given under that name/)
  refuses('what is inherited by every object', 'template', { template: '{{constructor.name}}', values: {} }, /nothing was given/)

  const shots = { shots: [{ prompt: 'a', s: 2 }, { prompt: 'b', s: 3 }], title: 'T' }
  gives('by several paths', 'extract', { from: shots, paths: ['$.shots[*].prompt', { name: 'title', path: 'title' }, { name: 'last', path: '/shots/1/s' }, { name: 'none', path: '$.none', default: 7 }] },
    { value: 'a', value2: 'T', value3: 3, value4: 7, items: ['a', 'b'], values: { '$.shots[*].prompt': ['a', 'b'], title: 'T', last: 3, none: 7 } })
  gives('out of a text with words around it', 'extract', { from: 'Sure!\n```json\n{"a": [1, 2]}\n```\nDone.', paths: ['a'] }, { value: [1, 2], items: [1, 2], values: { a: [1, 2] } })
  gives('out of a text with JSON in its middle', 'extract', { from: 'Here: {"a": 1} as asked', paths: ['$.a'] }, { value: 1, items: [1], values: { '$.a': 1 } })
  refuses('a path that finds nothing', 'extract', { from: shots, paths: ['$.shot'] }, /At the top there is shots, title/)
  refuses('a fence that is put together to hurt', 'extract', { from: `\`\`\`${'\n'.repeat(300_000)}`, paths: ['a'] }, /no JSON in this text/)
  refuses('a path with a pattern that would take years', 'extract', { from: [{ a: `${'a'.repeat(60)}!` }], paths: ['$[?search(@.a, "(a+)+b")]'] }, /takes too long on this JSON/)
  refuses('a path with searches within searches', 'extract', { from: Array.from({ length: 20_000 }, () => 1), paths: ['$[?count($..*) < 0]'] }, /takes too long on this JSON/)
  gives('and the next path after one that was stopped', 'extract', { from: [1, 2, 3], paths: ['$[?@ > 1]'] }, { value: 2, items: [2, 3], values: { '$[?@ > 1]': [2, 3] } })
  refuses('what is no path', 'extract', { from: shots, paths: ['$.[['] }, /is no path into JSON/)
  refuses('a text without JSON', 'extract', { from: 'just words', paths: ['a'] }, /no JSON in this text/)

  const [a, b] = [picture('a'), picture('b')]
  gives('lists side by side', 'records', { records: { brand: 'X' }, images: [a, b], texts: ['one', 'two'], text_name: 'caption' },
    { count: 2, records: [{ brand: 'X', image: a, caption: 'one' }, { brand: 'X', image: b, caption: 'two' }] })
  refuses('lists that are not equally long', 'records', { images: [a, b, a], texts: ['one', 'two'] }, /one length/)
  refuses('records that are none', 'records', { records: ['x'] }, /JSON object/)
})

describe('ways', () => {
  const rules = [{ test: 'contains', against: 'red' }, { test: 'greater', against: 10 }, { against: 'exactly' }]
  gives('the first rule that holds', 'router', { value: 'a RED door', rules }, { way1: 'a RED door' })
  gives('a later rule', 'router', { value: 'exactly', rules }, { way3: 'exactly' })
  gives('another value decides', 'router', { value: 'x', subject: 12, rules }, { way2: 'x' })
  gives('none holds', 'router', { value: 'x', rules }, { otherwise: 'x' })
  gives('a value that simply goes on', 'router', { value: [1] }, { otherwise: [1] })
  refuses('a test there is not', 'router', { value: 1, rules: [{ test: 'resembles' }] }, /resembles|allowed|equal/)
  gives('one of several', 'condition', { value: 'b', test: 'one_of', against: 'a, b' }, { yes: 'b' })
})

/** A bench with pictures of its own: what is kept is remembered by its bytes. */
function studio() {
  const kept = new Map<string, Buffer>()
  const keep = async (bytes: Uint8Array): Promise<Media> => {
    const { format, width, height } = await sharp(bytes).metadata()
    const sha256 = hash('sha256', bytes)
    kept.set(sha256, Buffer.from(bytes))
    return { asset: sha256.slice(0, 32), sha256, mime: `image/${format === 'heif' ? 'avif' : format}`, width, height }
  }
  const read = async ({ sha256 }: Media) => kept.get(sha256)!
  return { ...bench, keep, read, type: async (text: string, options: TypeOptions) => setPlate(text, options) } as Bench
}
const desk = studio()

/** A picture of stripes, so that every place in it is another. */
const stripes = (width: number, height: number, colour: (x: number, y: number) => number[], at: Bench = desk): Promise<Media> => {
  const pixels = Buffer.from(Array.from({ length: width * height }, (_, index) => colour(index % width, Math.floor(index / width))).flat())
  return sharp(pixels, { raw: { width, height, channels: 4 } }).png().toBuffer().then(bytes => at.keep(bytes))
}
const gradient = await stripes(200, 100, (x, y) => [x, y * 2, 128, 255])
const red = await stripes(40, 20, () => [255, 0, 0, 255])
const clear = await stripes(60, 60, x => x < 30 ? [0, 0, 255, 255] : [0, 0, 0, 0])
const noise = await stripes(300, 300, (x, y) => [(x * 7919 + y * 104_729) % 251, (x * y) % 241, (x * 31 + y * 17) % 256, 255])
/** Something to look at: a bright disc on an even ground, to the right. */
const disc = await stripes(400, 200, (x, y) => (x - 320) ** 2 + (y - 100) ** 2 < 50 ** 2 ? [250, 200 - y % 40, 30 + x % 30, 255] : [60, 70, 80, 255])

async function look(media: Json | undefined, at: Bench = desk) {
  const bytes = await at.read(media as unknown as Media)
  const { data, info } = await sharp(bytes).ensureAlpha().raw().toBuffer({ resolveWithObject: true })
  return { bytes, mime: (media as unknown as Media).mime, width: info.width, height: info.height, at: (x: number, y: number) => [...data.subarray((y * info.width + x) * 4, (y * info.width + x) * 4 + 4)] }
}
const near = (found: number[], wanted: number[], by = 6) => assert.ok(found.every((value, index) => Math.abs(value - wanted[index]!) <= by), `${found} is not near ${wanted}`)
const draws = (what: string, kind: string, settings: Record<string, unknown>, check: (made: Awaited<ReturnType<typeof look>>, outputs: Record<string, Json>) => void | Promise<void>) => test(`${kind}: ${what}, and the same bytes again on a thread`, async () => {
  const first = await run(kind, settings, desk)
  const second = await runApart(kind, settings, studioWith(desk))
  assert.deepEqual(second.image, first.image)
  await check(await look(first.image), first)
})
/** Another bench that can read the first one's pictures: what is made anew is made by itself. */
const studioWith = (other: Bench): Bench => { const own = studio(); return { ...own, read: async media => Buffer.from(await own.read(media) ?? await other.read(media)) } }

test('paths and long templates go to a thread; what is done in a moment stays', async () => {
  const at = { ...bench, type: async () => assert.fail() } as unknown as Bench
  assert.deepEqual(await runApart('extract', { from: '{"a":[1,2]}', paths: ['a[*]'] }, at), await run('extract', { from: '{"a":[1,2]}', paths: ['a[*]'] }))
  await assert.rejects(runApart('extract', { from: '{}', paths: ['nowhere'] }, at), thrown => thrown instanceof Problem && /nothing at nowhere/.test(thrown.message))
  assert.deepEqual(await runApart('template', { template: '{{a}}, '.repeat(5_000), values: { a: 'x' } }, at), { text: 'x, '.repeat(5_000) })
  await assert.rejects(runApart('template', { template: '{{a}}', values: { a: 'x' } }, at), /ran on the thread everybody waits for/)
})

describe('pictures', () => {
  const size = (width: number, height: number) => (made: { width: number; height: number }) => assert.deepEqual([made.width, made.height], [width, height])

  draws('an exact rectangle', 'crop', { image: gradient, x: 50, y: 20, width: 30, height: 10 }, made => { size(30, 10)(made); assert.deepEqual(made.at(0, 0), [50, 40, 128, 255]) })
  draws('a ratio at the middle', 'crop', { image: gradient, ratio: '1:1' }, made => { size(100, 100)(made); assert.deepEqual(made.at(0, 0), [50, 0, 128, 255]) })
  draws('a ratio at a side', 'crop', { image: gradient, ratio: '1:1', at: 'right' }, made => { size(100, 100)(made); assert.deepEqual(made.at(0, 0), [100, 0, 128, 255]) })
  draws('around what draws the eye, without scaling', 'crop', { image: disc, width: 140, height: 140, at: 'attention' }, made => {
    size(140, 140)(made)
    assert.ok(Array.from({ length: 140 }, (_, x) => made.at(x, 70)).filter(([r]) => r === 250).length > 60, 'the disc is in it, in its own size')
  })
  test('crop: places are meant as people see them', async () => {
    // Lies on its side in the file: what is at the top left for people is at the bottom left of the pixels.
    const lying = await sharp(await desk.read(gradient)).withMetadata({ orientation: 6 }).jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).toBuffer().then(bytes => desk.keep(bytes))
    const upright = await sharp(await desk.read(lying)).autoOrient().raw().toBuffer({ resolveWithObject: true })
    assert.deepEqual([upright.info.width, upright.info.height], [100, 200])
    for (const [settings, x, y] of [[{ x: 10, y: 150, width: 20, height: 30 }, 10, 150], [{ ratio: '1:1', at: 'bottom' }, 0, 100], [{ width: 50, height: 50, at: 'entropy' }, null, null]] as const) {
      const made = await look((await run('crop', { image: lying, ...settings }, desk)).image)
      assert.deepEqual([made.width, made.height], 'ratio' in settings ? [100, 100] : [settings.width, settings.height])
      if (x !== null) near(made.at(0, 0), [...upright.data.subarray((y * 100 + x) * 3, (y * 100 + x) * 3 + 3), 255])
    }
  })
  draws('one side, and the other follows', 'resize', { image: gradient, width: 50 }, size(50, 25))
  draws('bars of a colour', 'resize', { image: gradient, width: 100, height: 100, fit: 'contain', background: '#00ff00' }, made => { size(100, 100)(made); assert.deepEqual(made.at(50, 5), [0, 255, 0, 255]) })
  refuses('no size', 'resize', { image: gradient }, /Say how large/, desk)
  for (const [what, settings, words] of [
    ['nothing to keep', {}, /Say what to keep/], ['a rectangle over the edge', { x: 190, y: 0, width: 20, height: 10 }, /200 × 100 pixels/], ['half a rectangle', { x: 1, width: 5 }, /needs x, y, width and height/],
    ['more than there is', { width: 300 }, /cannot be cut out/], ['a ratio and a size', { ratio: '1:1', width: 5 }, /not both/], ['a ratio of nothing', { ratio: '0:1' }, /two numbers above 0/],
  ] as [string, object, RegExp][]) refuses(what, 'crop', { image: gradient, ...settings }, words, desk)

  draws('clear parts are white in JPEG', 'convert', { image: clear, format: 'jpeg' }, made => { assert.equal(made.mime, 'image/jpeg'); near(made.at(50, 30), [255, 255, 255, 255]); near(made.at(5, 30), [0, 0, 255, 255], 10) })
  draws('clear parts stay clear in WebP', 'convert', { image: clear, format: 'webp' }, made => { assert.equal(made.mime, 'image/webp'); assert.equal(made.at(50, 30)[3], 0) })
  draws('clear parts get a colour', 'convert', { image: clear, format: 'png', quality: 100, background: '#00ff00' }, made => assert.deepEqual(made.at(50, 30), [0, 255, 0, 255]))
  draws('AVIF', 'convert', { image: gradient, format: 'avif' }, made => assert.equal(made.mime, 'image/avif'))
  draws('less quality is fewer bytes', 'convert', { image: noise, format: 'jpeg', quality: 20 }, async (made, { bytes }) => {
    assert.equal(made.bytes.length, bytes)
    assert.ok(made.bytes.length < ((await run('convert', { image: noise, format: 'jpeg', quality: 80 }, desk)).bytes as number))
  })
  test('a format that cannot hold so long a picture is refused by both', async () => {
    const long = await sharp({ create: { width: 16_400, height: 2, channels: 3, background: '#123456' } }).png().toBuffer().then(bytes => desk.keep(bytes))
    for (const kind of ['convert', 'optimise']) await assert.rejects(run(kind, { image: long, format: 'webp', ...(kind === 'optimise' ? { bytes_max: 500 } : {}) }, desk), /WebP holds 16383 pixels a side/)
    assert.equal((await look((await run('optimise', { image: long, format: 'webp', bytes_max: 2_000, shrink: true }, desk)).image)).width < 16_383, true)
  })
  refuses('a format there is not', 'convert', { image: red, format: 'bmp' }, /png, jpeg, webp, avif/, desk)

  draws('the best quality that fits', 'optimise', { image: noise, format: 'jpeg', bytes_max: 40_000 }, async (made, { quality, did, bytes }) => {
    assert.ok(made.bytes.length <= 40_000 && bytes === made.bytes.length)
    const better = await run('optimise', { image: noise, format: 'jpeg', bytes_max: 10_000_000, quality_min: quality as number + 1, quality_max: quality as number + 1 }, desk)
    assert.ok((better.bytes as number) > 40_000, 'one better would not have fitted')
    assert.match(did as string, /^JPEG at quality \d+: \d+ of 40000 bytes, where it had \d+\.$/)
  })
  draws('small enough already', 'optimise', { image: red, bytes_max: 5_000 }, (_made, { image, did }) => { assert.deepEqual(image, red); assert.match(did as string, /Left as it is/) })
  draws('made smaller where that is allowed', 'optimise', { image: noise, format: 'jpeg', bytes_max: 5_000, shrink: true }, (made, { did }) => { assert.ok(made.bytes.length <= 5_000 && made.width < 300 && made.width === made.height); assert.match(did as string, /made smaller from 300 × 300/) })
  refuses('what cannot fit', 'optimise', { image: noise, format: 'jpeg', bytes_max: 5_000 }, /Even at quality 40 this JPEG has \d+ bytes/, desk)
  refuses('a range of nothing', 'optimise', { image: noise, quality_min: 90, quality_max: 50 }, /above quality_max/, desk)

  draws('a layer at a corner', 'composite', { background: gradient, layer1: red, layers: [{ image: 'layer1', anchor: 'bottom_right', x: 10, y: '10%' }] }, made => {
    size(200, 100)(made)
    assert.deepEqual([made.at(189, 89), made.at(191, 89), made.at(150, 70)], [[255, 0, 0, 255], [191, 178, 128, 255], [255, 0, 0, 255]])
  })
  draws('half clear, multiplied, turned, over the edge', 'composite', { width: 100, height: 100, colour: '#808080', layer1: red, layer2: red, layers: [{ image: 'layer1', anchor: 'top_left', opacity: 0.5 }, { image: 'layer2', anchor: 'bottom_left', x: -20, blend: 'multiply', rotate: 90 }] }, made => {
    near(made.at(5, 5), [192, 64, 64, 255]); near(made.at(0, 70), [128, 128, 128, 255]); near(made.at(50, 50), [128, 128, 128, 255])
  })
  draws('without a word on it, everything fitted at the centre', 'composite', { background: gradient, images: [red] }, made => { assert.deepEqual(made.at(100, 50), [255, 0, 0, 255]); assert.deepEqual(made.at(79, 50), [79, 100, 128, 255]) })
  draws('text with names out of data, one picture for each record', 'composite', {
    width: 240, height: 120, colour: '#ffffff', data: [{ word: 'ONE', photo: red }, { word: 'TWO', photo: red }],
    layers: [{ image: 'photo', anchor: 'top_left' }, { text: '{{word}}', anchor: 'bottom', height: '50%', colour: '#0000ff' }] }, (made, { images, count }) => {
    assert.equal(count, 2)
    assert.notEqual((images as unknown as Media[])[0]!.sha256, (images as unknown as Media[])[1]!.sha256)
    assert.deepEqual(made.at(2, 2), [255, 0, 0, 255])
    assert.ok(Array.from({ length: 240 }, (_, x) => made.at(x, 90)).some(([r, g, b]) => r! < 40 && g! < 40 && b! > 200), 'there is blue ink')
  })
  for (const [what, settings, words] of [
    ['no size', { layer1: red }, /how large it is to be/], ['a picture that did not come', { background: red, layers: [{ image: 'logo' }] }, /logo, which did not come/], ['neither picture nor text', { background: red, layers: [{}] }, /either an image or a text/],
    ['too large a canvas', { width: 16_000, height: 16_000 }, /at most 64 million/], ['a name nothing was given for', { background: red, layers: [{ text: '{{x}}' }] }, /asks for \{\{x\}\}/], ['a list of no records', { background: red, data: [] }, /1 to 50/],
    ['more pixels in its layers than can be held', { width: 6_000, height: 6_000, layer1: red, layers: Array.from({ length: 4 }, () => ({ image: 'layer1', width: 6_000, height: 6_000, fit: 'fill' })) }, /more than 100 million pixels together/],
    ['a blend there is not', { background: red, layers: [{ image: 'layer1', blend: 'mix' }] }, /layers/],
  ] as [string, object, RegExp][]) refuses(what, 'composite', settings as Record<string, unknown>, words, desk)

  draws('rectangles: of one colour, with round corners, and of colours that go into each other downwards', 'composite', { width: 100, height: 101, colour: '#ffffff', layers: [
    { fill: { angle: 0, stops: [{ at: 0, colour: '#00000000' }, { at: 1, colour: '#000000' }] } }, { fill: '#ff0000', width: 40, height: 40, anchor: 'top_left', radius: 10 }] }, made => {
    assert.deepEqual([made.at(60, 0), made.at(60, 100), made.at(20, 20), made.at(0, 0), made.at(39, 39)], [[255, 255, 255, 255], [0, 0, 0, 255], [255, 0, 0, 255], [255, 255, 255, 255], made.at(60, 39)])
    near(made.at(60, 50), [127, 127, 127, 255])
  })
  const document = { order: ['ground', 'scrim', 'chip', 'word'], layers: {
    word: { type: 'text', text: 'ONE', fill: '#00ff00', fontSize: 40, x: 10, y: 50, width: 180, align: 'right' }, ground: { type: 'rectangle', fill: 'rgb(0, 0, 255)', x: 0, y: 0, width: 200, height: 100 },
    scrim: { type: 'gradient', angle: 180, stops: [{ offset: 0, color: 'rgba(0,0,0,1)' }, { offset: 1, color: '#0000' }], x: 100, y: 0, width: 100, height: 100 }, chip: { type: 'image', url: 'layer1', x: 20, y: 10, scaleX: 0.5, scaleY: 0.5, rotation: 90, opacity: 50 },
  } }
  const green = (made: Awaited<ReturnType<typeof look>>, from: number, to: number) => Array.from({ length: (to - from) * 50 }, (_, index) => made.at(from + index % (to - from), 50 + Math.floor(index / (to - from)))).filter(([r, g, b]) => g! > 200 && r! < 90 && b! < 90).length
  draws('a document of layers in its order, each where it stands', 'layered', { layer1: red, document, width: 200, height: 100 }, (made, { count, notes }) => {
    size(200, 100)(made)
    assert.deepEqual([count, notes], [1, []])
    assert.deepEqual([made.at(5, 5), made.at(150, 99)], [[0, 0, 255, 255], [0, 0, 0, 255]], 'colours go upwards at 180')
    // Turned about its corner a picture of 20 × 10 stands to the left of where it began.
    near(made.at(15, 20), [128, 0, 128, 255]); near(made.at(15, 31), [0, 0, 255, 255]); near(made.at(25, 15), [0, 0, 255, 255])
    assert.ok(green(made, 110, 195) > 20 && green(made, 0, 80) === 0, 'the word stands at the right of its room')
  })
  draws('one picture for each record, which says what is other in it; a layer that no record names is the same in all', 'layered', {
    width: 200, height: 100, document, layer1: red, layers: '```json\n{"word": {"fontSize": 30}, "mark": {"type": "rectangle", "fill": "#ffffff", "x": 190, "y": 0, "width": 10, "height": 10}}\n```',
    data: [{ word: 'TWO' }, { word: { text: '', fill: '#ff0000' }, chip: gradient, wrod: 'x' }] }, async (made, { images, count, notes }) => {
    const [first, second] = await Promise.all((images as Json[]).map(one => look(one)))
    assert.deepEqual([count, first!.at(195, 5), second!.at(195, 5)], [2, [255, 255, 255, 255], [255, 255, 255, 255]])
    assert.ok(green(first!, 110, 195) > 20)
    assert.equal(green(second!, 0, 200), 0)
    assert.deepEqual(notes, ['data names the layer "wrod", which is not there. Did you mean "word"?'])
  })
  draws('a picture of a record at the bottom, covering', 'layered', { width: 80, height: 80, document: { order: ['dot'], layers: { dot: { type: 'rectangle', fill: '#00ff00', x: 0, y: 0, width: 4, height: 4 } } }, data: [{ bg: red }] }, made => assert.deepEqual([made.at(1, 1), made.at(79, 79)], [[0, 255, 0, 255], [255, 0, 0, 255]]))
  draws('without a document, pictures at the centre', 'layered', { background: gradient, layer1: red }, made => assert.deepEqual([made.at(100, 50), made.at(79, 50)], [[255, 0, 0, 255], [79, 100, 128, 255]]))
  for (const [what, settings, words] of [
    ['no size', { layer1: red }, /how large it is to be/], ['layers that are no JSON', { background: red, layers: '{"a":' }, /layers is no JSON/], ['layers that are a list', { background: red, layers: [1] }, /object with a layer under each name/],
    ['records that are none', { background: red, data: ['x'] }, /1 to 50 records/], ['too many of them', { background: red, data: Array.from({ length: 51 }, () => ({})) }, /1 to 50 records/],
    ['a picture that did not come', { background: red, layers: { layer_1: { type: 'image' } } }, /"layer_1": its picture "layer1" did not come\. Wire it/], ['a link that comes by wire', { background: red, layers: { a: { url: 'https://x.example/a.png' } } }, /links are fetched where they are written on the node/],
    ['what a record makes of a layer', { background: red, layers: { a: { text: 'x' } }, data: [{}, { a: { textBg: { color: '#fff' } } }] }, /Record 2 of data: The layer "a": textBg: no block is drawn behind a text here; put a rectangle/],
    ['more pixels in its layers than can be held', { width: 6_000, height: 6_000, layers: Object.fromEntries(Array.from({ length: 4 }, (_, index) => [`r${index}`, { type: 'rectangle', fill: '#fff', width: 6_000, height: 6_000 }])) }, /The layers have more than 100 million pixels together/],
  ] as [string, object, RegExp][]) refuses(what, 'layered', settings as Record<string, unknown>, words, desk)

  draws('a text in the corner', 'watermark', { image: disc, text: '© Plantain', opacity: 1, size: 0.4 }, made => {
    size(400, 200)(made)
    const inked = (x0: number, y0: number) => Array.from({ length: 40 * 200 }, (_, index) => made.at(x0 + index % 200, y0 + Math.floor(index / 200))).filter(([r, g, b]) => r! > 240 && g! > 240 && b! > 240).length
    assert.ok(inked(200, 160) > 100, 'white letters at the bottom right')
    assert.equal(inked(0, 0), 0)
  })
  draws('a picture all over', 'watermark', { image: disc, mark: red, tiled: true, size: 0.1, opacity: 0.5, rotate: -30 }, made => {
    const marked = [0, 100, 200, 300].map(x => Array.from({ length: 100 * 200 }, (_, index) => made.at(x + index % 100, Math.floor(index / 100))).some(([r, g]) => r! > 150 && r! < 200 && g! < 60))
    assert.deepEqual(marked, [true, true, true, true])
  })
  draws('a mark so small that it is there thousands of times', 'watermark', { image: disc, text: 'x', tiled: true, size: 0.02, opacity: 1 }, size(400, 200))
  draws('a mark as wide as the picture, tiled', 'watermark', { image: gradient, mark: red, tiled: true, size: 1, opacity: 1 }, made => { size(200, 100)(made); assert.ok([...Array(100).keys()].some(y => made.at(20, y)[0] === 255)) })
  refuses('text and picture at once', 'watermark', { image: red, text: 'x', mark: red }, /either a text or a picture/, desk)
  refuses('no mark', 'watermark', { image: red }, /either a text or a picture/, desk)
  refuses('blanks', 'watermark', { image: red, text: '  ' }, /empty/, desk)

  draws('rows, captions and a title', 'contact_sheet', { images: [gradient, red, clear, disc, noise], captions: ['a', 'b', 'c', 'd', 'e'], title: 'Pictures', columns: 3, size: 100 }, made => {
    assert.deepEqual([made.width, made.height], [3 * 110 + 4 * 9, 2 * 130 + 3 * 9 + 24 + 9])
    near(made.at(2, 2), [236, 238, 241, 255])
  })
  draws('dark, numbered', 'contact_sheet', { images: [red, red], size: 60, theme: 'dark' }, made => near(made.at(1, 1), [20, 22, 26, 255]))
  test('contact_sheet: captions side by side are of one size, but for one that is far longer', async () => {
    const set = new Map<string, number>()
    const at = { ...desk, type: async (text: string, options: TypeOptions) => { const plate = setPlate(text, options); set.set(text, plate.size); return plate } } as Bench
    await run('contact_sheet', { images: [red, red], captions: ['owl', 'on a wooden table by a window'], size: 200 }, at)
    assert.equal(set.get('owl'), set.get('on a wooden table by a window'))
    const long = Array(6).fill('a very long caption indeed').join(', ')
    await run('contact_sheet', { images: [red, red], captions: ['owl', long], size: 200 }, at)
    assert.ok(set.get('owl')! > set.get(long)! * 1.2, `${set.get('owl')} beside ${set.get(long)}`)
  })
  refuses('captions that are too few', 'contact_sheet', { images: [red, red], captions: ['one'] }, /one for each/, desk)
  refuses('no pictures', 'contact_sheet', { images: [] }, /no pictures/, desk)
})

describe('compare', async () => {
  const against = (approved: Media | null) => {
    const proposed: [string, string, boolean][] = []
    return { at: { ...desk, baseline: async () => approved, propose: async (name: string, media: Media, approve: boolean) => { proposed.push([name, media.sha256, approve]); return approve ? 'approved' : 'proposed' } } as Bench, proposed }
  }
  const changed = await stripes(200, 100, (x, y) => x >= 20 && x < 60 && y >= 30 && y < 60 ? [255, 255, 255, 255] : [x, y * 2, 128, 255])
  const softer = await sharp(await desk.read(noise)).jpeg({ quality: 95 }).toBuffer().then(bytes => desk.keep(bytes))

  test('the same picture passes', async () => {
    const one = await run('compare', { image: gradient, against: gradient }, desk)
    assert.deepEqual([one.passed, one.status, one.different, one.similarity, one.distance, one.pass, one.fail], [true, 'same', 0, 1, 0, gradient, undefined])
  })
  test('a change is counted, shown and kept from passing', async () => {
    const one = await run('compare', { image: changed, against: gradient }, desk)
    assert.deepEqual([one.passed, one.status, one.fail, one.pass], [false, 'different', changed, undefined])
    assert.ok(Math.abs((one.different as number) - 40 * 30 / 20_000) < 0.003, String(one.different))
    assert.ok((one.similarity as number) < 0.95)
    assert.match(one.report as string, /^Different: [\d.]+% of the pixels differ, and 0.1% may\.$/)
    const overlay = await look(one.overlay)
    assert.deepEqual([overlay.width, overlay.height], [200, 100])
    assert.deepEqual(overlay.at(40, 45), [226, 0, 58, 255])
    const [r, g, b] = overlay.at(150, 80)
    assert.ok(r === g && g === b, 'what is the same is grey')
  })
  test('a region that is ignored does not count', async () => {
    assert.equal((await run('compare', { image: changed, against: gradient, ignore: [{ x: 20, y: '30%', width: '20%', height: 30 }] }, desk)).passed, true)
  })
  test('each limit is held by itself', async () => {
    assert.equal((await run('compare', { image: changed, against: gradient, different_max: 0.1 }, desk)).passed, true)
    assert.match((await run('compare', { image: changed, against: gradient, similarity_min: 0.99 }, desk)).report as string, /structure/)
    assert.match((await run('compare', { image: disc, against: gradient, distance_max: 5, scale: true }, desk)).report as string, /look differs in/)
    const pressed = await sharp(await desk.read(disc)).jpeg({ quality: 60 }).toBuffer().then(bytes => desk.keep(bytes))
    const close = await run('compare', { image: pressed, against: disc, similarity_min: 0.9, distance_max: 6 }, desk)
    assert.deepEqual([close.passed, close.status], [true, 'same'], close.report as string)
  })
  test('another size is a difference, unless it may be scaled', async () => {
    assert.equal((await run('compare', { image: red, against: gradient }, desk)).status, 'resized')
    const half = await sharp(await desk.read(gradient)).resize(100).png().toBuffer().then(bytes => desk.keep(bytes))
    assert.equal((await run('compare', { image: half, against: gradient, scale: true, different_max: 0.02 }, desk)).passed, true)
  })
  test('the first picture of a name is proposed; a different one as well; the same one is not', async () => {
    for (const [first_run, passed] of [['pass', true], ['fail', false], ['approve', true]] as const) {
      const { at, proposed } = against(null)
      const one = await run('compare', { image: gradient, baseline: 'home', first_run }, at)
      assert.deepEqual([one.passed, one.status, proposed], [passed, 'new', [['home', gradient.sha256, first_run === 'approve']]])
    }
    const { at, proposed } = against(gradient)
    assert.equal((await run('compare', { image: gradient, baseline: 'home' }, at)).passed, true)
    assert.deepEqual(proposed, [])
    assert.match((await run('compare', { image: changed, baseline: 'home' }, at)).report as string, /proposed as the new baseline/)
    assert.deepEqual(proposed, [['home', changed.sha256, false]])
  })
  test('a change is the same change on a thread, with what it proposes', async () => {
    const at = () => { const told: unknown[] = []; return { told, bench: { ...studioWith(desk), baseline: async () => gradient, propose: async (...given: unknown[]) => { told.push(given); return 'proposed' as const } } as unknown as Bench } }
    const [here, there] = [at(), at()]
    assert.deepEqual(await runApart('compare', { image: changed, baseline: 'home' }, there.bench), await run('compare', { image: changed, baseline: 'home' }, here.bench))
    assert.deepEqual(there.told, here.told)
    await assert.rejects(runApart('compare', { image: changed, against: gradient, on_difference: 'fail' }, at().bench), thrown => thrown instanceof Problem && thrown.code === 'bad_request' && thrown.details.status === 'different' && typeof thrown.details.overlay === 'string')
  })
  refuses('a difference, where that is to fail', 'compare', { image: changed, against: gradient, on_difference: 'fail' }, /Different/, desk)
  refuses('nothing to hold it against', 'compare', { image: red }, /one of the two/, desk)
  refuses('two things to hold it against', 'compare', { image: red, against: red, baseline: 'x' }, /one of the two/, desk)
  test('strips find what the whole finds', async () => {
    const one = await openPicture(desk, noise).then(pixelsOf)
    const other = await openPicture(desk, softer).then(pixelsOf)
    for (const edges of [true, false]) {
      const { count, overlay } = await differ(one, other, { tolerance: 0.02, edges, signal: bench.signal })
      const whole = Buffer.alloc(one.pixels.length)
      assert.equal(count, pixelmatch(other.pixels, one.pixels, whole, 300, 300, { threshold: 0.02, includeAA: edges, diffColor: [226, 0, 58], aaColor: [255, 176, 0], alpha: 0.28 }))
      assert.ok(count > 100)
      assert.ok(overlay.pixels.equals(whole))
    }
  })
})

describe('publish', () => {
  function post() {
    const put: { to: string; path: string; bytes: string; mime: string }[] = []
    const sent: { url: string; method: string; headers: Record<string, string>; body: Buffer }[] = []
    const answers: { status: number; full?: boolean } = { status: 200 }
    const counted: Publication[] = []
    const back: Publication[] = []
    const at = {
      ...desk,
      sizeOf: async () => 7,
      count: async (things: Publication[]) => {
        if (answers.full) throw new Problem('too_large', 'This execution has published all it may.')
        counted.push(...things)
        return { takeBack: async (some: Publication[]) => { back.push(...some) } }
      },
      publish: async (to: string, path: string, bytes: Uint8Array, mime: string) => { put.push({ to, path, bytes: hash('sha256', bytes), mime }); return `https://cdn.example/${path}` },
      sign: async (id: string) => ({ 'webhook-id': id }),
      fetch: (async (url: string, init: { method: string; headers: Record<string, string>; body: Buffer }) => { sent.push({ url, ...init }); return new Response('too bad', { status: answers.status }) }) as unknown as typeof fetch,
    } as Bench
    return { at, put, sent, answers, counted, back }
  }
  test('a picture goes under a path made of names', async () => {
    const { at, put } = post()
    const one = await run('publish', { value: gradient, path: '{{shop}}/{{name}}-{{index}}.{{extension}}', name: 'mug', data: { shop: 'berlin' } }, at)
    assert.deepEqual(put, [{ to: 'folder', path: 'berlin/mug-1.png', bytes: gradient.sha256, mime: 'image/png' }])
    assert.deepEqual(one, { address: 'https://cdn.example/berlin/mug-1.png', addresses: ['https://cdn.example/berlin/mug-1.png'], count: 1 })
  })
  test('a list goes thing by thing, texts and JSON as well', async () => {
    const { at, put } = post()
    await run('publish', { value: [red, 'words', { a: 1 }], to: 's3', data: [{ k: 'x' }, { k: 'y' }, { k: 'z' }], path: '{{k}}.{{extension}}' }, at)
    assert.deepEqual(put.map(({ to, path, mime }) => [to, path, mime]), [['s3', 'x.png', 'image/png'], ['s3', 'y.txt', 'text/plain'], ['s3', 'z.json', 'application/json']])
  })
  test('an address gets the bytes, signed, under the same id each time', async () => {
    const { at, sent } = post()
    await run('publish', { value: red, to: 'http', url: 'https://shop.example/in/{{name}}', name: 'a mug', method: 'PUT' }, at)
    await run('publish', { value: red, to: 'http', url: 'https://shop.example/in/{{name}}', name: 'a mug', method: 'PUT' }, at)
    assert.deepEqual([sent[0]!.url, sent[0]!.method, sent[0]!.headers['content-type'], hash('sha256', sent[0]!.body)], ['https://shop.example/in/a%20mug', 'PUT', 'image/png', red.sha256])
    assert.match(sent[0]!.headers['webhook-id']!, /^msg_[0-9a-f]{32}$/)
    assert.equal(sent[1]!.headers['webhook-id'], sent[0]!.headers['webhook-id'])
  })
  test('a form is read by others as one', async () => {
    const { at, sent } = post()
    await run('publish', { value: red, to: 'http', url: 'https://shop.example/', body: 'multipart', path: 'shop/mug.png' }, at)
    const form = await new Response(new Uint8Array(sent[0]!.body), { headers: sent[0]!.headers }).formData()
    const file = form.get('file') as File
    assert.deepEqual([form.get('path'), file.name, file.type, hash('sha256', Buffer.from(await file.arrayBuffer()))], ['shop/mug.png', 'mug.png', 'image/png', red.sha256])
  })
  test('a receiver that says no is quoted', async () => {
    const { at, answers } = post()
    for (const [status, code] of [[422, 'provider_rejected'], [503, 'provider_down']] as const) {
      answers.status = status
      await assert.rejects(run('publish', { value: red, to: 'http', url: 'https://shop.example/' }, at), thrown => thrown instanceof Problem && thrown.code === code && thrown.message.includes(`${status} to what was published: too bad`))
    }
  })
  test('all is counted before the first is written; what was surely not taken, and what was never tried, is taken back', async () => {
    const { at, put, sent, answers, counted, back } = post()
    await run('publish', { value: [red, 'words'], path: '{{index}}.{{extension}}' }, at)
    assert.deepEqual([counted.map(({ to, address, sizeBytes }) => [to, address, sizeBytes]), put.length, back], [[['folder', '1.png', 7], ['folder', '2.txt', 5]], 2, []])
    for (const [status, taken] of [[422, 0], [503, 1]] as const) {
      answers.status = status
      back.length = sent.length = counted.length = 0
      await assert.rejects(run('publish', { value: [red, 'words'], to: 'http', url: 'https://shop.example/{{index}}' }, at))
      assert.deepEqual([sent.length, back], [1, counted.slice(taken)], `${status}`)
    }
    answers.full = true
    put.length = 0
    await assert.rejects(run('publish', { value: 'words', path: 'a.txt' }, at), /all it may/)
    assert.deepEqual(put, [])
  })
  test('two things under one path are refused before anything is written', async () => {
    const { at, put } = post()
    await assert.rejects(run('publish', { value: [red, gradient], path: 'same.png' }, at), /\{\{index\}\}/)
    assert.equal(put.length, 0)
  })
  refuses('no address', 'publish', { value: red, to: 'http' }, /where to send it/, desk)
  refuses('nothing', 'publish', { value: [] }, /1 to 200/, desk)
  refuses('records that do not fit', 'publish', { value: [red, red], data: [{}] }, /1 records|one for each/, desk)
  refuses('a name nothing was given for', 'publish', { value: red, path: '{{shop}}.png' }, /asks for \{\{shop\}\}/, desk)
})
