/**
 * (h) What a node holds the loop: the longest time nobody else is answered while a node computes, on the largest things it takes.
 *
 * One house in one process, as it is run: executions through the database, pictures through the store. A ticker asks every millisecond how
 * long it had to wait; how much of that the thread was itself at work, and not merely kept from a processor, is told beside it.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import { readConfig } from '../src/config.ts'
import type { Graph } from '../src/domain/graph/graph.ts'
import type { Json } from '../src/domain/outcome.ts'
import { startHouse, type House } from '../src/house.ts'
import { createLog } from '../src/kit/log.ts'
import { openSheet } from '../src/kit/sheets/sheet.ts'
import { mediaOf } from '../src/workflows/step.ts'
import { testSettings } from '../test/kit/house.ts'
import { workbook } from '../test/kit/workbook.ts'
import { benchDatabase, pause, round, table } from './kit.ts'

const turns = 2
const [large, huge] = [4_000, 8_000]

interface Held { wallMs: number; cpuMs: number; seconds: number; peakMb: number; said: string }

/** Does something and tells the longest time the loop was held meanwhile, by the clock and by the processor. */
async function watch(act: () => Promise<string>): Promise<Held> {
  let [wallMs, cpuMs, peak] = [0, 0, 0]
  let [at, spent] = [performance.now(), process.threadCpuUsage()]
  const tick = () => {
    const [now, used] = [performance.now(), process.threadCpuUsage()]
    wallMs = Math.max(wallMs, now - at - 1)
    cpuMs = Math.max(cpuMs, (used.user + used.system - spent.user - spent.system) / 1_000)
    ;[at, spent] = [now, used]
  }
  const ticker = setInterval(tick, 1)
  const scales = setInterval(() => { peak = Math.max(peak, process.memoryUsage.rss()) }, 50)
  const begun = performance.now()
  try {
    const said = await act()
    // What was held to the very end is seen by the tick after it.
    await pause(2)
    return { wallMs, cpuMs, seconds: (performance.now() - begun) / 1_000, peakMb: Math.round(peak / 2 ** 20), said }
  } finally {
    clearInterval(ticker)
    clearInterval(scales)
  }
}

/** A node that gets one of its inputs out of a file; long values do not stand in a graph. */
const fed = (id: string, port: 'text' | 'json' | 'items', kind: string, to: string, settings: Record<string, Json>): Graph => ({
  nodes: [{ id: 'file', kind: 'file', settings: { file: id } }, { id: 'only', kind, settings }], edges: [{ from: { node: 'file', port }, to: { node: 'only', port: to } }], exposed: [],
})
const alone = (kind: string, settings: Record<string, Json>): Graph => ({ nodes: [{ id: 'only', kind, settings }], edges: [], exposed: [] })
const words = (characters: number) => 'The quick brown fox jumps over the lazy dog, and nobody waits for it. '.repeat(Math.ceil(characters / 70)).slice(0, characters)

export async function nodes(): Promise<void> {
  const bench = await benchDatabase({ max: 4 })
  const dataDir = await mkdtemp(join(tmpdir(), 'plantain-bench-'))
  const config = readConfig({ ...testSettings({ databaseUrl: bench.url, dataDir, upstreamUrl: 'http://127.0.0.1:9' }), DATABASE_POOL: '12', LOG_LEVEL: 'error', INPUT_BYTES_MAX: '100000000' })
  const house = await startHouse(config, { roles: ['serve', 'work'], log: createLog(config.LOG_LEVEL) })
  const rows: Record<string, string | number>[] = []
  const measure = async (what: string, on: string, act: () => Promise<string>) => {
    const held: Held[] = []
    for (let turn = 0; turn < turns; turn++) { held.push(await watch(act)); await pause(50) }
    const [walls, ended] = [held.map(one => one.wallMs), held[0]!.said]
    rows.push({
      what, on, 'held ms, best / worst': `${round(Math.min(...walls))} / ${round(Math.max(...walls))}`, 'of it at work': round(Math.min(...held.map(one => one.cpuMs))), 'took s': round(Math.min(...held.map(one => one.seconds))),
      'peak MB': Math.max(...held.map(one => one.peakMb)), ended,
    })
  }
  try {
    const { rows: [project] } = await bench.database.query<{ id: string; account_id: string }>('select id, account_id from project limit 1')
    const { key, secret } = await house.access.createKeyForOperator(project!.id, { name: 'Bench', livemode: false, scopes: ['admin'], expiresAt: null, limits: { requestsPerMinute: null, executionsPerDay: null, concurrent: null } })
    const desk = house.deskFor((await house.access.callerOf(key.id))!)
    const owner = { projectId: project!.id, livemode: false }
    const keep = async (bytes: Buffer) => mediaOf(await house.assets.keep({ ...owner, inputDays: null }, { bytes }, {}))
    const run = async (graph: Graph): Promise<string> => {
      const { execution } = await desk.workflows.begin({ graph, force: true })
      for (;;) {
        const found = await desk.workflows.settled(execution.id, 30_000)
        if (found!.state === 'running') continue
        if (found!.state === 'done') return 'done'
        const { rows: [failed] } = await bench.database.query<{ problem: { code: string; message: string } }>(`select problem from node_run where execution_id = $1 and state = 'failed'`, [execution.id])
        return failed ? `${failed.problem.code}: ${failed.problem.message.slice(0, 100)}` : found!.state
      }
    }
    const node = (kind: string, on: string, settings: Record<string, Json>) => measure(kind, on, () => run(alone(kind, settings)))

    const noisy = (side: number) => sharp({ create: { width: side, height: side, channels: 3, background: '#777777', noise: { type: 'gaussian', mean: 128, sigma: 5 } } })
    const jpeg = await noisy(huge).jpeg({ quality: 80 }).toBuffer()
    const photo = await keep(jpeg) as unknown as Json
    const photo4k = await keep(await noisy(large).jpeg({ quality: 80 }).toBuffer()) as unknown as Json
    const other4k = await keep(await noisy(large).modulate({ brightness: 1.02 }).jpeg({ quality: 80 }).toBuffer()) as unknown as Json
    const [widest, wider] = await Promise.all(['#888888', '#898888'].map(async background => await keep(await sharp({ create: { width: 6_320, height: 6_320, channels: 3, background } }).jpeg().toBuffer()) as unknown as Json))
    const small = await Promise.all(Array.from({ length: 200 }, async (_, index) => await keep(await sharp({ create: { width: 700, height: 500 + index, channels: 3, background: { r: index, g: 90, b: 120 } } }).jpeg().toBuffer()) as unknown as Json))

    await run(alone('resize', { image: small[0]!, width: 20 }))
    await run(alone('watermark', { image: small[0]!, text: 'warm' }))
    await measure('nothing', 'the house by itself, for a second', async () => { await pause(1_000); return 'done' })
    await node('resize', '8,000 × 8,000 to 8,000 × 7,900', { image: photo, width: 8_000, height: 7_900 })
    await node('crop', '4,000 × 4,000 around what draws the eye', { image: photo4k, ratio: '4:3', at: 'attention' })
    await node('convert', '8,000 × 8,000 to WebP', { image: photo, format: 'webp', quality: 60 })
    await node('optimise', '4,000 × 4,000 to 1 MB of JPEG', { image: photo4k, bytes_max: 1_000_000, quality_min: 1 })
    await node('composite', 'a text of 5,000 characters filling 8,000 × 8,000', { width: huge, height: huge, layers: [{ text: words(5_000), width: '100%', height: '100%', shadow: '#000000' }] })
    await node('composite', 'four letters filling 8,000 × 8,000', { width: huge, height: huge, layers: [{ text: 'WXYZ', width: '100%', height: '100%', shadow: '#000000', stroke: '#ff0000' }] })
    await measure('composite', 'the same, four at once', async () => (await Promise.all(Array.from({ length: 4 }, () => run(alone('composite', { width: huge, height: huge, layers: [{ text: words(5_000), width: '100%', height: '100%' }] }))))).join(', '))
    await node('composite', '50 texts over 4,000 × 4,000', { background: photo4k, layers: Array.from({ length: 50 }, (_, index) => ({ text: words(200), width: '60%', height: '5%', y: `${index * 2 - 50}%` })) })
    await node('composite', 'a picture of 8,000 × 8,000, half clear', { layer1: photo, width: huge, height: huge, layers: [{ image: 'layer1', opacity: 0.5 }] })
    await node('composite', '50 pictures, one for each record', { width: 1_000, height: 1_000, data: small.slice(0, 50).map((image, index) => ({ image, name: `Number ${index}` })), layers: [{ image: 'image' }, { text: '{{name}}', width: '80%' }] })
    await node('watermark', 'all over 8,000 × 8,000', { image: photo, text: 'Plantain', tiled: true, rotate: -30 })
    await node('watermark', 'as wide as 8,000 × 8,000', { image: photo, text: words(200), size: 1 })
    await node('contact_sheet', '200 pictures with captions', { images: small, captions: small.map((_, index) => words(60 + index)), title: words(200), size: 400 })
    await node('compare', '4,000 × 4,000 with noise', { image: photo4k, against: other4k })
    await node('compare', '6,320 × 6,320, 50 rectangles left out', { image: widest!, against: wider!, ignore: Array.from({ length: 50 }, () => ({ x: 0, y: 0, width: '100%', height: '100%' })) })

    const file = async (name: string, text: string): Promise<string> => {
      const taken = await desk.files.take(Readable.from([Buffer.from(text)]))
      return (await desk.files.keep(taken, { name, purpose: 'user_data', source: 'uploaded', mime: 'text/plain', expiresAt: null } as never)).id
    }
    const records = Array.from({ length: 10_000 }, (_, index) => ({ index, name: `product ${index}`, text: words(300), prices: [index, index * 2] }))
    const list = JSON.stringify(records)
    const json = await file('list.json', list)
    const long = await file('long.txt', words(15_900_000))
    const rowsFile = await file('rows.jsonl', records.map(one => JSON.stringify(one)).join('\n'))
    const [mb, none] = [round(list.length / 1e6), {}]
    const wired = (kind: string, on: string, graph: Graph) => measure(kind, on, () => run(graph))
    await node('file', `JSON, ${mb} MB`, { file: json })
    await node('file', 'text, 15.9 MB', { file: long })
    await node('file', 'JSON Lines, 10,000 rows', { file: rowsFile })
    await wired('extract', `50 paths through ${mb} MB of text`, fed(json, 'text', 'extract', 'from', { paths: Array.from({ length: 50 }, (_, index) => `$[*].${['name', 'text', 'index', 'prices'][index % 4]}`) }))
    await wired('extract', `a path that takes for ever through ${mb} MB`, fed(json, 'text', 'extract', 'from', { paths: ['$..[?@..[?@.index > 0]]'] }))
    await node('extract', '50 paths through a record of 300 KB', { from: records.slice(0, 700) as unknown as Json, paths: Array.from({ length: 50 }, (_, index) => `$..[?@.index > ${index}].text`) })
    await wired('template', 'a long text in many places, 15.9 MB', fed(await file('half.txt', words(1_000_000)), 'text', 'template', 'value1', { template: '{{value1}} '.repeat(15) }))
    await node('template', '25,000 places', { template: '{{a.b}} and {{c}} '.repeat(25_000), values: { a: { b: 'x' }, c: 'y' } })
    await wired('concat', '10,000 texts', fed(await file('texts.json', JSON.stringify(records.map(one => one.text))), 'items', 'concat', 'texts', none))
    await wired('records', '10,000 of them', fed(json, 'json', 'records', 'records', none))
    await wired('pick', 'from a list of 10,000 records', fed(json, 'items', 'pick', 'list', none))

    await measure('sandbox door', 'a picture of 4K', async () => draw(desk, { model: 'nano-banana-2', prompt: 'a lighthouse at dawn', parameters: { resolution: '4K' } }))
    await measure('sandbox door', 'an edit of 4,000 × 4,000', async () => draw(desk, { model: 'sandbox-1', prompt: 'make it blue', parameters: {}, operation: 'edit', inputs: [{ assetId: (photo4k as { asset: string }).asset, role: 'reference' }] }))
    await measure('sandbox door', 'a text out of a prompt of a million characters', async () => draw(desk, { model: 'gemini-3.8-flash', operation: 'write', prompt: `Rewrite this: ${words(990_000)}`, parameters: {} }))
    await measure('sandbox door', 'a prompt of 20,000 characters', async () => draw(desk, { model: 'sandbox-1', prompt: words(20_000), parameters: {} }))

    const png = await noisy(large).png({ compressionLevel: 1 }).toBuffer()
    const frames = await gif(500, 300)
    const webp = await noisy(large).webp({ lossless: true, effort: 0 }).toBuffer()
    const avif = await noisy(2_000).avif({ quality: 90, effort: 0 }).toBuffer()
    const taken = (kind: string, bytes: Buffer) => measure('taking a picture in', `${kind}, ${round(bytes.length / 1e6)} MB`, () => house.assets.keep({ ...owner, inputDays: null }, { bytes }, {}).then(() => 'done', (problem: Error) => problem.message.slice(0, 60)))
    await taken('PNG', png)
    await taken('JPEG', jpeg)
    await taken('JPEG of restart marks', restarts(jpeg, 30_000_000))
    await taken('GIF of 500 frames', frames)
    await taken('GIF of blocks of one byte', gifOfCrumbs(29_000_000))
    await taken('WebP', webp)
    await taken('AVIF', avif)
    await taken('PNG of a million chunks', pngOfCrumbs(1_000_000))

    const sheet = await workbook([['prompt', ...Array.from({ length: 30 }, (_, index) => `column ${index}`)], ...Array.from({ length: 10_000 }, (_, row) => [`a mug number ${row}`, ...Array.from({ length: 30 }, (_, index) => index % 2 ? `cell ${row} ${index} ${words(40)}` : row * index)])])
    await measure('sheet', `XLSX of 10,000 rows, ${round(sheet.length / 1e6)} MB`, async () => readSheet(sheet))
    const csv = Buffer.from(`prompt,b,c\n${Array.from({ length: 10_000 }, (_, row) => `a mug number ${row},"${words(400)}",${row}`).join('\n')}`)
    await measure('sheet', `CSV of 10,000 rows, ${round(csv.length / 1e6)} MB`, async () => readSheet(csv))
    const one = Buffer.from(`prompt,b\n${Array.from({ length: 20 }, () => `a,"${words(1_000_000)}"`).join('\n')}`)
    await measure('sheet', `CSV of 20 rows, ${round(one.length / 1e6)} MB`, async () => readSheet(one))
    await batch(house, secret, measure)
  } finally {
    await house.close()
    await bench.close()
    await rm(dataDir, { recursive: true, force: true })
  }
  table('(h) What a node holds the loop', rows)
}

type Desk = ReturnType<House['deskFor']>
async function draw(desk: Desk, order: Record<string, unknown>): Promise<string> {
  const { task } = await desk.submit({ inputs: [], parameters: {}, ...order } as never)
  const ended = await desk.settled(task.id, { waitMs: 120_000 })
  return ended.state === 'done' ? 'done' : `${ended.problem?.code}: ${ended.problem?.message.slice(0, 100)}`
}

async function readSheet(bytes: Buffer): Promise<string> {
  const pieces = function* () { for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536) }
  const read = await openSheet({ head: bytes.subarray(0, 4_096), sizeBytes: bytes.length, stream: () => Readable.from(pieces(), { objectMode: false }) })
  let count = 0
  for await (const _ of read.rows()) count++
  return `${count} rows`
}

/** A batch of rows that end at once, and what can be read of it. */
async function batch(house: House, secret: string, measure: (what: string, on: string, act: () => Promise<string>) => Promise<void>): Promise<void> {
  const headers = { authorization: `Bearer ${secret}` }
  const rows = Array.from({ length: 60 }, (_, row) => ({ prompt: `${row} ${words(200)}`, name: `mug ${row}` }))
  const answer = await fetch(`${house.url}/plantain/v1/batches`, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify({ rows, target: { model: 'sandbox-1', prompt: 'a mug {{name}}', parameters: { resolution: '512' } } }) })
  const said = await answer.text()
  if (!answer.ok) throw new Error(`No batch was taken: ${said.slice(0, 400)}`)
  const { id } = JSON.parse(said) as { id: string }
  for (let state = ''; state !== 'done'; await pause(500)) {
    state = (await (await fetch(`${house.url}/plantain/v1/batches/${id}`, { headers })).json() as { state: string }).state
    if (state === 'failed') throw new Error('The batch failed.')
  }
  for (const name of ['results.csv', 'results.zip', 'results.jsonl']) {
    await measure('results', `${name} of ${rows.length} rows`, async () => {
      const response = await fetch(`${house.url}/plantain/v1/batches/${id}/${name}`, { headers })
      let bytes = 0
      for await (const chunk of response.body!) bytes += chunk.length
      return `${response.status}, ${bytes} bytes`
    })
  }
}

async function gif(frames: number, side: number): Promise<Buffer> {
  const pages = await Promise.all(Array.from({ length: 4 }, (_, index) => sharp({ create: { width: side, height: side, channels: 3, background: '#000000', noise: { type: 'gaussian', mean: 60 + index * 30, sigma: 30 } } }).raw().toBuffer()))
  return sharp(Buffer.concat(Array.from({ length: frames }, (_, index) => pages[index % 4]!)), { raw: { width: side, height: side * frames, channels: 3, pageHeight: side } }).gif({ effort: 1, colours: 32, dither: 0 }).toBuffer()
}

/** A GIF whose one frame comes in blocks of a single byte. */
function gifOfCrumbs(bytes: number): Buffer {
  const made = Buffer.alloc(bytes, Buffer.from([1, 0]))
  Buffer.from('GIF89a\x10\0\x10\0\0\0\0\x2c\0\0\0\0\x10\0\x10\0\0\x02', 'latin1').copy(made)
  made[bytes - 2] = 0
  made[bytes - 1] = 0x3b
  return made
}

/** A JPEG with a scan of nothing but restart marks. */
function restarts(jpeg: Buffer, bytes: number): Buffer {
  const scan = jpeg.indexOf(Buffer.from([0xff, 0xda]))
  const head = jpeg.subarray(0, scan + 2 + jpeg.readUInt16BE(scan + 2))
  return Buffer.concat([head, Buffer.alloc(bytes - head.length - 2, Buffer.from([0xff, 0xd0])), Buffer.from([0xff, 0xd9])])
}

/** A PNG with very many chunks of nothing. */
function pngOfCrumbs(chunks: number): Buffer {
  const [signature, ihdr, rest] = [png1.subarray(0, 8), png1.subarray(8, 33), png1.subarray(33)]
  const whole = Buffer.from('\0\0\0\0tEXt\0\0\0\0', 'latin1')
  whole.writeUInt32BE(crc32('tEXt'), 8)
  return Buffer.concat([signature, ihdr, ...Array.from({ length: chunks }, () => whole), rest])
}
const png1 = await sharp({ create: { width: 4, height: 4, channels: 3, background: '#ff0000' } }).png().toBuffer()
