/** Nodes at work, over HTTP: what is bought, compared, approved and published. */
import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import sharp from 'sharp'
import { propose } from '../src/workflows/baselines.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { asking, wire } from './kit/workflow.ts'

let house: TestHouse
let folder: string
/** A bucket and a receiver on this machine: what came, and what it answers next. */
const heard: { method: string; path: string; headers: IncomingHttpHeaders; body: Buffer }[] = []
let answer: { status: number; body: string } = { status: 200, body: '' }
const server = createServer(async (request, response) => {
  heard.push({ method: request.method!, path: request.url!, headers: request.headers, body: Buffer.concat(await request.toArray() as Buffer[]) })
  response.writeHead(answer.status, { 'content-type': 'application/xml' }).end(answer.body)
})
let address: string

before(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  folder = await mkdtemp(join(tmpdir(), 'plantain-publish-'))
  house = await testHouse({ settings: {
    PLANTAIN_PUBLISH_DIR: folder, PLANTAIN_PUBLISH_URL: 'https://cdn.example/files',
    PLANTAIN_PUBLISH_S3_ENDPOINT: `${address}/pictures`, PLANTAIN_PUBLISH_S3_REGION: 'eu-central-1', PLANTAIN_PUBLISH_S3_ACCESS_KEY_ID: 'AKIDEXAMPLE', PLANTAIN_PUBLISH_S3_SECRET_ACCESS_KEY: 'secret',
  } })
})
after(async () => { await house?.close(); server.close(); await rm(folder, { recursive: true, force: true }) })

const ask = asking(() => house)
const one = (id: string, kind: string, settings: object = {}) => ({ id, kind, settings })
const output = (id: string) => one(id, 'output', { name: id })
async function run(nodes: object[], edges: object[], more: object = {}) {
  const { status, body } = await ask('POST', '/executions?wait=60', { graph: { nodes, edges }, ...more })
  assert.ok(status < 300, JSON.stringify(body))
  return body
}
/** One node alone: with its settings, what it gives, or why not. */
const runOf = async (kind: string, settings: object) => {
  const execution = await run([one('only', kind, settings)], [])
  const { body } = await ask('GET', `/executions/${execution.id}/runs`)
  return { ...body.items[0] as { state: string; outputs: any; problem: any }, execution }
}
const dataUrl = async (colour: string, width = 120, height = 80) => `data:image/png;base64,${(await sharp({ create: { width, height, channels: 3, background: colour } }).png().toBuffer()).toString('base64')}`
const upload = async (colour: string): Promise<{ id: string; sha256: string }> => (await ask('POST', '/assets', { data_url: await dataUrl(colour) })).body
const sandbox = { model: 'sandbox-1' }

describe('what is bought', () => {
  test('a picture is made, changed with a mask, cut out, enlarged and filmed, each at its price', async () => {
    const nodes = [
      one('make', 'generate', { ...sandbox, prompt: 'a red apple', parameters: { resolution: '512' } }),
      one('mask', 'image', { image: await dataUrl('#000000', 512, 512) }),
      one('bluer', 'edit', { ...sandbox, prompt: 'make it blue', parameters: { resolution: '512' } }),
      one('cut', 'remove_background', { ...sandbox }),
      one('large', 'upscale', { ...sandbox, factor: 2 }),
      one('film', 'generate_video', { ...sandbox, prompt: 'it turns', parameters: { duration_s: 1, resolution: '512' } }),
      ...['bluer', 'cut', 'large', 'film'].map(name => output(`${name}-out`)),
    ]
    const edges = [wire('make.image', 'bluer.image'), wire('mask.image', 'bluer.mask'), wire('bluer.image', 'cut.image'), wire('make.image', 'large.image'), wire('bluer.image', 'film.first_frame'), wire('bluer.image', 'bluer-out.value'), wire('cut.image', 'cut-out.value'), wire('large.image', 'large-out.value'), wire('film.video', 'film-out.value')]
    const plan = (await ask('POST', '/executions/estimate', { graph: { nodes, edges } })).body
    assert.deepEqual([plan.price_min.micros, plan.price_max.micros], [1_000, 5_000], 'what hangs on a picture that is not there yet may turn out to be there')
    const execution = await run(nodes, edges)
    assert.deepEqual([execution.state, execution.cost.micros], ['done', 5_000], JSON.stringify(execution))
    assert.deepEqual([execution.outputs['large-out'].width, execution.outputs['bluer-out'].width], [1024, 512])
    const cut = await sharp(Buffer.from(await (await fetch(execution.outputs['cut-out'].url)).arrayBuffer())).stats()
    assert.equal(cut.isOpaque, false)
    assert.notEqual(execution.outputs['bluer-out'].sha256, execution.outputs['large-out'].sha256)
    const again = await run(nodes, edges)
    assert.deepEqual([again.state, again.cost.micros, again.outputs['film-out'].sha256], ['done', 0, execution.outputs['film-out'].sha256])
    assert.deepEqual(await house.audit(), [])
  })
  test('a mask a model does not take is refused before anything is bought', async () => {
    const tasks = async () => (await house.database.query('select count(*)::int as n from task')).rows[0]!.n
    const before = await tasks()
    const image = await dataUrl('#ff0000')
    const refused = await ask('POST', '/executions', { graph: { nodes: [one('e', 'edit', { prompt: 'x', image, mask: image, model: 'nano-banana-2-1' })], edges: [] } })
    assert.deepEqual([refused.status, refused.body.error.code], [400, 'unsupported_parameter'])
    assert.match(refused.body.error.message, /mask/)
    const film = await ask('POST', '/executions', { graph: { nodes: [one('v', 'video', { video: image })], edges: [] } })
    assert.equal(film.status, 400)
    assert.match(film.body.error.message, /takes a film, and what came is image\/png/)
    assert.equal(await tasks(), before)
  })
})

test('what a node makes is kept as long as outputs are, and no input that is given with it', async () => {
  const picture = await upload('#777777')
  const made = await runOf('resize', { image: picture.id, width: 20 })
  const expiry = async (id: string) => (await ask('GET', `/assets/${id}`)).body.expires_at
  assert.equal(await expiry(made.outputs.image.asset), null)
  assert.notEqual(await expiry(picture.id), null)
})

describe('texts, files and ways', () => {
  test('a file of rows becomes pictures with words, one for each', async () => {
    const form = new FormData()
    form.set('purpose', 'user_data')
    form.set('file', new Blob([JSON.stringify([{ title: 'Mug', price: 9 }, { title: 'Plate', price: 12 }])]), 'rows.json')
    const { id: file } = await (await fetch(`${house.url}/v1/files`, { method: 'POST', headers: { authorization: `Bearer ${house.testKey}` }, body: form })).json() as { id: string }
    const nodes = [
      one('rows', 'file', { file }), one('each', 'iterate'), one('words', 'template', { template: '{{title}} for ${{price}}' }), one('card', 'composite', { width: 200, height: 80, colour: '#ffffff', layers: [{ text: '{{title}}' }] }),
      one('cards', 'collect'), one('lines', 'collect'), one('sheet', 'contact_sheet', { size: 64 }), output('sheet-out'), output('lines-out'),
    ]
    const edges = [wire('rows.items', 'each.items'), wire('each.item', 'words.values'), wire('each.item', 'card.data'), wire('card.image', 'cards.items'), wire('words.text', 'lines.items'), wire('cards.items', 'sheet.images'), wire('lines.items', 'sheet.captions'), wire('sheet.image', 'sheet-out.value'), wire('lines.items', 'lines-out.value')]
    const plan = (await ask('POST', '/executions/estimate', { graph: { nodes, edges } })).body
    assert.equal(plan.price_max.micros, 0)
    const execution = await run(nodes, edges)
    assert.deepEqual([execution.state, execution.outputs['lines-out']], ['done', ['Mug for $9', 'Plate for $12']], JSON.stringify(execution))
    assert.ok(execution.outputs['sheet-out'].width > 120)
  })
  test('a router goes one way and skips the others', async () => {
    const nodes = [one('word', 'text', { text: 'a portrait' }), one('by', 'router', { rules: [{ test: 'contains', against: 'landscape' }, { test: 'contains', against: 'portrait' }] }), ...['wide', 'tall', 'else'].map(output)]
    const execution = await run(nodes, [wire('word.text', 'by.value'), wire('by.way1', 'wide.value'), wire('by.way2', 'tall.value'), wire('by.otherwise', 'else.value')])
    assert.deepEqual(execution.outputs, { tall: 'a portrait' })
  })
})

describe('a sound', () => {
  /** A tenth of a second of silence. */
  const wave = () => {
    const bytes = Buffer.alloc(44 + 1_600)
    bytes.write('RIFF\0\0\0\0WAVEfmt ', 'latin1')
    bytes.writeUInt32LE(bytes.length - 8, 4)
    for (const [at, value] of [[16, 16], [20, 1 | 1 << 16], [24, 8_000], [28, 16_000], [32, 2 | 16 << 16]] as const) bytes.writeUInt32LE(value, at)
    bytes.write('data', 36, 'latin1')
    bytes.writeUInt32LE(1_600, 40)
    return bytes
  }
  test('is taken in, given on and published as it is', async () => {
    const made = await runOf('audio', { audio: `data:audio/wav;base64,${wave().toString('base64')}` })
    assert.deepEqual([made.state, made.outputs.audio.mime], ['done', 'audio/wav'])
    assert.match(made.outputs.audio.url, /sound\.wav/)
    assert.ok(Buffer.from(await (await fetch(made.outputs.audio.url)).arrayBuffer()).equals(wave()))
    const uploaded = await fetch(`${house.url}/plantain/v1/assets`, { method: 'POST', headers: { authorization: `Bearer ${house.testKey}`, 'content-type': 'audio/wav' }, body: new Uint8Array(wave()) })
    const { id, mime } = await uploaded.json() as { id: string; mime: string }
    assert.deepEqual([uploaded.status, mime], [201, 'audio/wav'])
    const sent = await run([one('in', 'audio', { audio: id }), one('out', 'publish', { path: 'sounds/{{index}}.{{extension}}' }), output('where')], [wire('in.audio', 'out.value'), wire('out.address', 'where.value')])
    assert.match(sent.outputs.where, /sounds\/1\.wav$/)
  })
  for (const [what, settings, words] of [
    ['half of one', { audio: `data:audio/wav;base64,${wave().subarray(0, 900).toString('base64')}` }, /sound ends in the middle/], ['a text', { audio: 'data:text/plain;base64,aGVsbG8=' }, /This is text\. .*WAV, MP3, Ogg or M4A sound/], ['nothing', {}, /needs audio|audio/],
  ] as [string, object, RegExp][]) test(`is refused where it is ${what}`, async () => {
    const refused = await ask('POST', '/executions', { graph: { nodes: [one('in', 'audio', settings)], edges: [] } })
    assert.ok(refused.status === 400 || refused.status === 415, JSON.stringify(refused.body))
    assert.match(JSON.stringify(refused.body.error), words)
  })
  test('is no picture, at any port or door for pictures', async () => {
    const audio = `data:audio/wav;base64,${wave().toString('base64')}`
    const port = await ask('POST', '/executions', { graph: { nodes: [one('in', 'image', { image: audio })], edges: [] } })
    assert.deepEqual([port.status, port.body.error.code], [415, 'unsupported_media'])
    const task = await ask('POST', '/tasks', { model: 'sandbox-1', prompt: 'x', inputs: [{ data_url: audio }] })
    assert.deepEqual([task.status, task.body.error.code], [415, 'unsupported_media'])
  })
})

describe('a baseline', () => {
  const compare = (image: string, settings: object = {}) => runOf('compare', { image, baseline: 'shop/front page', ...settings })
  const name = encodeURIComponent('shop/front page')
  test('is proposed by the first run, approved by a person, holds, and goes', async () => {
    const [green, blue] = [await upload('#00aa00'), await upload('#0000aa')]
    const first = await compare(green.id)
    assert.deepEqual([first.outputs.passed, first.outputs.status], [true, 'new'])
    const waiting = (await ask('GET', '/baselines?waiting=true')).body
    assert.deepEqual(waiting.items.map((item: any) => [item.name, item.state, item.proposed.sha256, item.approved]), [['shop/front page', 'waiting', green.sha256, null]])
    assert.match(waiting.items[0].proposed_by, /^execution [0-9a-f]{32}$/)

    assert.equal((await ask('POST', `/baselines/${name}/approve`, { sha256: blue.sha256 })).status, 409)
    const approved = await ask('POST', `/baselines/${name}/approve`, { sha256: green.sha256 })
    assert.deepEqual([approved.status, approved.body.state, approved.body.approved.sha256, approved.body.approved_by], [200, 'approved', green.sha256, 'Test'])
    assert.ok(Math.abs(Date.now() - Date.parse(approved.body.approved_at)) < 60_000)
    assert.equal((await fetch(approved.body.approved.url)).status, 200)
    assert.equal((await ask('POST', `/baselines/${name}/approve`, {})).status, 409)

    assert.deepEqual((await compare(green.id)).outputs.status, 'same')
    const changed = await compare(blue.id)
    assert.deepEqual([changed.outputs.passed, changed.outputs.status, changed.outputs.different], [false, 'different', 1])
    assert.match(changed.outputs.overlay.url, /^http/)
    const failed = await compare(blue.id, { on_difference: 'fail' })
    assert.deepEqual([failed.execution.state, failed.state], ['failed', 'failed'])
    assert.match(failed.problem.message, /100% of the pixels differ/)

    const rejected = await ask('POST', `/baselines/${name}/reject`, { reason: 'Green it stays' })
    assert.deepEqual([rejected.body.state, rejected.body.approved.sha256, rejected.body.rejected.sha256, rejected.body.rejected.by, rejected.body.rejected.reason], ['approved', green.sha256, blue.sha256, 'Test', 'Green it stays'])
    assert.match((await compare(blue.id)).outputs.report, /turned down/)
    assert.equal((await ask('GET', `/baselines/${name}`)).body.proposed, null)

    // The picture of a baseline is its own: what it was made from may go.
    assert.equal((await ask('DELETE', `/assets/${green.id}`)).status, 204)
    await house.house.collect({ graceMs: 0 })
    assert.equal((await compare(await dataUrl('#00aa00'))).outputs.status, 'same')

    // What a person sets counts at once, and whatever waited is dropped, also where it is what counted before.
    const red = await upload('#aa0000')
    await compare(red.id)
    assert.equal((await ask('GET', `/baselines/${name}`)).body.proposed.sha256, red.sha256)
    const again = await ask('PUT', `/baselines/${name}`, { asset: (await upload('#00aa00')).id })
    assert.deepEqual([again.body.approved.sha256, again.body.proposed, again.body.state], [green.sha256, null, 'approved'])

    const set = await ask('PUT', `/baselines/${name}`, { asset: blue.id })
    assert.deepEqual([set.body.approved.sha256, set.body.approved_by], [blue.sha256, 'Test'])
    assert.equal((await ask('DELETE', `/baselines/${name}`)).status, 204)
    assert.equal((await ask('GET', `/baselines/${name}`)).status, 404)
    await house.house.collect({ graceMs: 0 })
    const { rows: [left] } = await house.database.query('select count(*)::int as n from asset where sha256 = $1', [Buffer.from(green.sha256, 'hex')])
    assert.equal(left.n, 2, 'only the picture the last comparison came with, and the one that was uploaded again')
  })
  test('whose picture is gone meanwhile is not proposed, and nothing is left of it', async () => {
    const { rows: [project] } = await house.database.query<{ id: string }>('select id from project order by id limit 1')
    const owner = { projectId: project!.id, livemode: false }
    const gone = { asset: 'f'.repeat(32), sha256: 'f'.repeat(64), mime: 'image/png', width: 1, height: 1 }
    for (const approve of [true, false]) await assert.rejects(propose(house.database, owner, 'ghost', gone, { by: 'nobody', approve }), /is gone/)
    assert.equal((await ask('GET', '/baselines/ghost')).status, 404)
  })
  test('proposed by many at once is one proposal, with one picture of its own', async () => {
    const { id } = await upload('#0a0b0c')
    const many = await Promise.all(Array.from({ length: 6 }, () => runOf('compare', { image: id, baseline: 'busy' })))
    assert.ok(many.every(({ outputs }) => outputs.status === 'new' && outputs.passed))
    const { proposed } = (await ask('GET', '/baselines/busy')).body
    const { rows } = await house.database.query('select expires_at from asset where sha256 = $1 order by id', [Buffer.from(proposed.sha256, 'hex')])
    assert.deepEqual(rows.map(row => row.expires_at === null), [false, true])
    await ask('DELETE', '/baselines/busy')
  })
  test('belongs to its project and mode, and is decided about once', async () => {
    const red = await upload('#aa0000')
    await runOf('compare', { image: red.id, baseline: 'alone' })
    const other = await house.newAccount()
    for (const key of [other.testKey, house.liveKey]) {
      assert.equal((await ask('GET', '/baselines/alone', undefined, { key })).status, 404)
      assert.equal((await ask('POST', '/baselines/alone/approve', {}, { key })).status, 404)
      assert.deepEqual((await ask('GET', '/baselines', undefined, { key })).body.items, [])
      assert.equal((await ask('PUT', '/baselines/alone', { asset: red.id }, { key })).status, 404)
    }
    const reader = await house.newAccount({ scopes: ['tasks:read'] })
    assert.equal((await ask('POST', '/baselines/alone/approve', {}, { key: reader.testKey })).status, 403)
    const answers = await Promise.all(['approve', 'reject', 'approve'].map(async verb => (await ask('POST', `/baselines/alone/${verb}`, {})).status))
    assert.deepEqual(answers.sort(), [200, 409, 409])
    const pages = [(await ask('GET', '/baselines?limit=1')).body]
    assert.deepEqual([pages[0].items.length, pages[0].next], [1, null])
    assert.equal((await ask('GET', `/baselines/${encodeURIComponent('a\nb')}`)).status, 400)
  })
})

describe('publishing', () => {
  const published = async () => (await readdir(folder, { recursive: true, withFileTypes: true })).filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort()
  test('into the folder: whole, under mode and project, and again the same', async () => {
    const image = await dataUrl('#123456')
    const first = await runOf('publish', { value: 'words', path: 'notes/{{name}}.{{extension}}', name: 'hello' })
    assert.equal(first.state, 'done', JSON.stringify(first.problem))
    const [where] = await published()
    assert.match(where!, /^test\/[0-9a-f]{32}\/notes\/hello\.txt$/)
    assert.equal(first.outputs.address, `https://cdn.example/files/${where}`)
    assert.equal(await readFile(join(folder, where!), 'utf8'), 'words')
    const nodes = [one('in', 'image', { image }), one('out', 'publish', { path: 'a/b.png' })]
    for (let time = 0; time < 2; time++) assert.equal((await run(nodes, [wire('in.image', 'out.value')])).state, 'done')
    const files = (await published()).filter(path => !path.includes('/sounds/'))
    assert.deepEqual([files.length, createHash('sha256').update(await readFile(join(folder, files[0]!))).digest('hex')], [2, createHash('sha256').update(Buffer.from(image.slice(22), 'base64')).digest('hex')])
  })
  for (const path of ['../out.txt', '/etc/out.txt', 'a/../../../out.txt', 'a//b.txt', '.hidden', 'a/.ssh/x', 'a\\..\\b.txt', 'x\u0007y', 'a/', ' a', 'n/'.repeat(400) + 'n', `a/${'n'.repeat(201)}`, `a/${'é'.repeat(101)}`]) {
    test(`into the folder is refused at ${JSON.stringify(path.slice(0, 24))}`, async () => {
      const before = await published()
      const refused = await runOf('publish', { value: 'words', path })
      assert.deepEqual([refused.state, refused.problem.code], ['failed', 'bad_request'])
      assert.match(refused.problem.message, /no path to publish to/)
      assert.deepEqual(await published(), before)
    })
  }
  test('into the folder does not follow a link out of it, nor write over a folder', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'plantain-elsewhere-'))
    const [where] = await published()
    const own = join(folder, where!.split('/').slice(0, 2).join('/'))
    await symlink(elsewhere, join(own, 'link'))
    await mkdir(join(own, 'full'), { recursive: true })
    await writeFile(join(own, 'full', 'x'), '')
    for (const path of ['link/out.txt', 'full']) assert.equal((await runOf('publish', { value: 'words', path })).problem.code, 'bad_request', path)
    assert.deepEqual(await readdir(elsewhere), [])
    assert.ok((await readdir(own)).every(entry => !entry.endsWith('.part')))
    await rm(elsewhere, { recursive: true })
  })
  test('into the bucket: signed, with its type; a bucket that says no is quoted, and the run can be resumed', async () => {
    heard.length = 0
    const image = await dataUrl('#654321')
    const nodes = [one('in', 'image', { image }), one('out', 'publish', { to: 's3', path: 'shop/mug 1.png' })]
    const done = await run(nodes, [wire('in.image', 'out.value')])
    assert.equal(done.state, 'done', JSON.stringify(done.problem))
    const [put] = heard
    assert.match(put!.path, /^\/pictures\/test\/[0-9a-f]{32}\/shop\/mug%201\.png$/)
    assert.deepEqual([put!.method, put!.headers['content-type'], put!.body.equals(Buffer.from(image.slice(22), 'base64'))], ['PUT', 'image/png', true])
    assert.match(put!.headers.authorization!, /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-central-1\/s3\/aws4_request/)

    answer = { status: 403, body: '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>No</Message></Error>' }
    const refused = await runOf('publish', { to: 's3', value: 'words', path: 'a.txt' })
    answer = { status: 200, body: '' }
    assert.deepEqual([refused.state, refused.problem.code], ['failed', 'provider_rejected'])
    assert.match(refused.problem.message, /The bucket answered 403 \(AccessDenied\)\. Its operator looks at the keys/)
    assert.ok(!JSON.stringify(refused).includes('secret'))
    await ask('POST', `/executions/${refused.execution.id}/resume`, {})
    assert.equal((await ask('GET', `/executions/${refused.execution.id}?wait=60`)).body.state, 'done')
  })
  test('to an address: signed like a webhook, over the bytes', async () => {
    heard.length = 0
    const { body: { publish_secret: secret } } = await ask('GET', '/webhooks/callback-secret')
    const sent = await runOf('publish', { to: 'http', url: `${address}/in/{{name}}`, name: 'a b', value: { a: 1 }, method: 'PUT' })
    assert.equal(sent.state, 'done', JSON.stringify(sent.problem))
    const [put] = heard
    assert.deepEqual([put!.method, put!.path, put!.headers['content-type'], JSON.parse(put!.body.toString())], ['PUT', '/in/a%20b', 'application/json', { a: 1 }])
    const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = put!.headers as Record<string, string>
    assert.equal(signature, `v1,${createHmac('sha256', Buffer.from(secret.slice(6), 'base64')).update(Buffer.concat([Buffer.from(`${id}.${at}.`), put!.body])).digest('base64')}`)
    answer = { status: 410, body: 'gone for good' }
    const refused = await runOf('publish', { to: 'http', url: `${address}/in`, value: 'x' })
    answer = { status: 200, body: '' }
    assert.match(refused.problem.message, /answered 410 to what was published: gone for good/)
  })
})

test('a server that opened nothing says which setting does', async () => {
  const plain = await testHouse()
  try {
    for (const [to, setting] of [['folder', 'PLANTAIN_PUBLISH_DIR'], ['s3', 'PLANTAIN_PUBLISH_S3_ENDPOINT']]) {
      const response = await fetch(`${plain.url}/plantain/v1/executions?wait=60`, { method: 'POST', headers: { authorization: `Bearer ${plain.testKey}`, 'content-type': 'application/json' }, body: JSON.stringify({ graph: { nodes: [one('out', 'publish', { to, value: 'x' })], edges: [] } }) })
      const { state, problem } = await response.json() as any
      assert.deepEqual([state, problem.code], ['failed', 'bad_request'])
      assert.match(problem.message, new RegExp(setting!))
    }
  } finally { await plain.close() }
})
