/** ComfyUI rehearsed: real cards and a live key against a server that follows its source, fault by fault. Nothing here has met ComfyUI itself. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import sharp from 'sharp'
import { startHouse } from '../src/house.ts'
import { createLog } from '../src/kit/log.ts'
import { pricedCards } from './kit/catalog.ts'
import { until } from './kit/engine.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { moneyOf, moneyTable, send } from './kit/live.ts'
import { startComfyui, type ComfyuiUpstream } from './upstreams/comfyui.ts'
import { paint } from './upstreams/loopback.ts'

let upstream: ComfyuiUpstream
let house: TestHouse
const secret = 'Bearer rehearsed-guard'
const cards = pricedCards(['comfyui-sdxl', 'comfyui-flux'], 30_000)
const settings = (more: Record<string, string> = {}) => ({ COMFYUI_BASE_URL: upstream.url, COMFYUI_AUTHORIZATION: secret, PLANTAIN_CARDS: cards, ...more })

before(async () => {
  upstream = await startComfyui()
  upstream.authorization = secret
  house = await testHouse({ settings: settings() })
})
after(async () => {
  await house?.close()
  await upstream?.close()
})
beforeEach(() => upstream.clear())

const fault = moneyTable({ house: () => house, upstream: () => upstream, model: 'comfyui-sdxl', key: 'rehearsed-guard' })
const small = { size: '64x64' }
const more = { parameters: small }
const auth = () => ({ authorization: `Bearer ${house.liveKey}` })
const begin = async (prompt: string) => (await send(house, { model: 'comfyui-sdxl', prompt, ...more }, 0)).body.id as string
const look = async (id: string) => await (await fetch(`${house.url}/plantain/v1/tasks/${id}`, { headers: auth() })).json() as any
const ended = async (id: string) => { let task: any; await until(async () => ['done', 'failed', 'cancelled'].includes((task = await look(id)).state), 'the task to end'); return task }

describe('a live order', () => {
  test('fills in the template, is followed through queue and history, fetched and paid', async () => {
    const { body } = await send(house, { model: 'comfyui-sdxl', prompt: 'a heron fault:states', parameters: { size: '96x64', seed: 7, steps: 30, count: 2, negative_prompt: 'text' } })
    assert.deepEqual([body.state, body.served_by, body.outputs?.map((one: any) => [one.width, one.height]), body.details.seeds], ['done', 'comfyui', [[96, 64], [96, 64]], [7, 7]], JSON.stringify(body.problem ?? body.error))
    const [{ prompt, prompt_id: id, client_id: client }] = upstream.orders()
    assert.deepEqual([id, body.details.comfyui], [body.upstream_id, { prompt_id: id, workflow: 'sdxl' }])
    assert.ok(typeof client === 'string' && client.length > 10)
    assert.deepEqual([prompt['3'].inputs.seed, prompt['3'].inputs.steps, prompt['5'].inputs, prompt['7'].inputs.text], [7, 30, { width: 96, height: 64, batch_size: 2 }, 'text'])
    assert.ok(upstream.heard.every(({ headers }) => headers.authorization === secret))
  })

  test('with a picture and a mask uploads both, the mask white where it is clear', async () => {
    const picture = await paint(80, 64)
    const mask = await sharp({ create: { width: 80, height: 64, channels: 4, background: '#ffffffff' } }).composite([{ input: { create: { width: 40, height: 64, channels: 4, background: '#ffffff' } }, left: 0, top: 0, blend: 'dest-out' }]).png().toBuffer()
    const { body } = await send(house, { model: 'comfyui-sdxl', prompt: 'a hat', parameters: { strength: 0.5 }, inputs: [{ base64: picture.toString('base64') }, { base64: mask.toString('base64'), role: 'mask' }] })
    assert.deepEqual([body.state, body.details?.comfyui?.workflow, upstream.stats().uploads], ['done', 'sdxl.inpaint', 2], JSON.stringify(body.problem ?? body.error))
    const [{ prompt }] = upstream.orders()
    assert.match(prompt['10'].inputs.image, /^plantain\/[0-9a-f]{64}\.png$/)
    assert.match(prompt['15'].inputs.image, /^plantain\/[0-9a-f]{64}-mask\.png$/)
    assert.deepEqual([prompt['14'].inputs.width, prompt['3'].inputs.denoise], [80, 0.5])
    const sent = upstream.heard.filter(({ path }) => path === '/upload/image').map(({ body: form }) => form.subarray(form.indexOf('\x89PNG', 0, 'latin1')))
    const grey = await Promise.all(sent.map(png => sharp(png).toColourspace('b-w').raw().toBuffer()))
    assert.ok(grey.some(pixels => pixels[0] === 255 && pixels[79] === 0))
  })

  test('shows how far it is and in-between pictures, and is looked at as soon as the stream says that it has ended', async () => {
    const stream = fetch(`${house.url}/v1/images/generations`, { method: 'POST', headers: { ...auth(), 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'comfyui-sdxl', prompt: 'fault:held stream', size: '64x64', stream: true, partial_images: 2 }) }).then(answer => answer.text())
    await until(() => upstream.stats().bought === 1)
    const { rows } = await house.database.query<{ id: string }>('select id from task order by id desc limit 1')
    const { id } = rows[0]!
    const promptId = upstream.orders()[0].prompt_id as string
    const partials = async () => (await house.database.query<{ count: number }>(`select count(*)::int as count from event where task_id = $1 and data ? 'partial'`, [id])).rows[0]!.count
    await until(async () => (await look(id)).state === 'waiting')
    const step = async (value: number) => { upstream.say(promptId, { type: 'progress', data: { node: '3', value, max: 20 } }); upstream.say(promptId, await paint(16, 16)) }
    await step(2)
    await step(8)
    await until(async () => await partials() === 1 && (await look(id)).progress === 40, 'the first picture')
    await step(16)
    await until(async () => await partials() === 2 && (await look(id)).progress === 80, 'the second')
    await upstream.release()
    const text = await stream
    assert.deepEqual([(await ended(id)).state, text.match(/^event: image_generation\.partial_image$/gm)?.length, text.match(/^event: image_generation\.completed$/gm)?.length], ['done', 2, 1])
  })

  for (const [what, prompt, word] of [['runs', 'fault:held', 'interrupts'], ['waits its turn', 'fault:waits', 'deleted']] as const) {
    test(`that is cancelled while it ${what} is stopped there, and costs nothing`, async () => {
      const id = await begin(prompt)
      await until(async () => (await look(id)).state === 'waiting')
      await fetch(`${house.url}/plantain/v1/tasks/${id}/cancel`, { method: 'POST', headers: auth() })
      await until(() => upstream.stats()[word] === 1, `one of ${word}`)
      assert.deepEqual([(await look(id)).state, (await moneyOf(house, id)).captured], ['cancelled', 0])
    })
  }
})

describe('what goes wrong', () => {
  fault('busy', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 }, more)
  fault('blind', { asked: 1, bought: 1, captured: 1, made: 1 }, more)

  fault('fail', { asked: 1, bought: 1, captured: 0, code: 'provider_failed' }, more)
  fault('memory', { asked: 1, bought: 1, captured: 0, code: 'provider_failed' }, more)
  fault('interrupted', { asked: 1, bought: 1, captured: 0, code: 'provider_failed' }, more)
  fault('nothing', { asked: 1, bought: 1, captured: 0, code: 'bad_output' }, more)

  // A lost answer is looked up under our own id: what was taken is found, and only what was not is handed in again.
  fault('server_once', { asked: 2, bought: 1, captured: 1, made: 1 }, more)

  const refused = (what: string, order: object, code: string, message: RegExp) => test(what, async () => {
    const { body } = await send(house, { prompt: 'a heron', ...order })
    assert.deepEqual([body.problem?.code, upstream.stats().bought], [code, 0], JSON.stringify(body.problem ?? body.error))
    assert.match(body.problem.message, message)
    assert.equal((await moneyOf(house, body.id)).captured, 0)
    await house.database.query('delete from provider_health')
  })
  refused('a checkpoint that is not there is named, for the operator', { model: 'comfyui-sdxl', parameters: { ...small, checkpoint: 'none.safetensors' } }, 'provider_not_configured', /ckpt_name "none\.safetensors"/)
  refused('models a template needs and ComfyUI has not are named, for the operator', { model: 'comfyui-flux', parameters: small }, 'provider_not_configured', /unet_name "flux1-dev\.safetensors"|clip_name1|vae_name/)
  refused('a sampler that is not there is the caller’s', { model: 'comfyui-sdxl', parameters: { ...small, sampler: 'nope' } }, 'unsupported_parameter', /sampler "nope"/)

  test('uploads that are busy or break off have begun nothing, and are tried again; one too large is not', async () => {
    const edit = async () => send(house, { model: 'comfyui-sdxl', prompt: 'a hat', inputs: [{ base64: (await paint(64, 64)).toString('base64') }] })
    for (const one of ['busy', 'cut'] as const) {
      upstream.clear()
      upstream.uploadFaults.push(one)
      const { body } = await edit()
      assert.deepEqual([body.state, body.attempts, upstream.stats().asked], ['done', 2, 1], JSON.stringify(body.problem))
    }
    upstream.clear()
    upstream.uploadFaults.push('full')
    const { body } = await edit()
    assert.deepEqual([body.problem?.code, upstream.stats().asked], ['too_large', 0])
  })

  test('a house that stops while a prompt runs finds it again when it is back', async () => {
    const first = await testHouse({ settings: settings({ SHUTDOWN_GRACE_S: '0' }) })
    try {
      const { body: { id } } = await send(first, { model: 'comfyui-sdxl', prompt: 'fault:held', ...more }, 0)
      await until(async () => (await first.database.query(`select from task where id = $1 and state = 'waiting'`, [id])).rowCount === 1)
      await first.house.close()
      await upstream.release()
      const second = await startHouse(first.house.config, { log: createLog('silent') })
      try {
        await until(async () => (await first.database.query(`select from task where id = $1 and state = 'done'`, [id])).rowCount === 1, 'the task to be done')
        assert.deepEqual([upstream.stats().asked, await moneyOf(first, id), await first.audit()], [1, { held: 30_000, captured: 30_000 }, []])
      } finally { await second.close() }
    } finally { await first.close() }
  })
})

test('without its stream everything is made all the same', async () => {
  upstream.deaf = true
  const another = await testHouse({ settings: settings() })
  try {
    const { body } = await send(another, { model: 'comfyui-sdxl', prompt: 'a heron', ...more })
    assert.deepEqual([body.state, upstream.stats().asked], ['done', 1], JSON.stringify(body.problem ?? body.error))
  } finally { await another.close() }
})

test('a template of the operator’s own is a model: its fields are the card’s parameters', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plantain-workflows-'))
  const own = mkdtempSync(join(tmpdir(), 'plantain-cards-'))
  try {
    writeFileSync(join(folder, 'poster.json'), JSON.stringify({
      workflow: { 5: { class_type: 'EmptyLatentImage', inputs: { width: 8, height: 8, batch_size: 1 } }, 6: { class_type: 'CLIPTextEncode', inputs: { text: '', clip: ['5', 0] } }, 9: { class_type: 'SaveImage', inputs: { images: ['5', 0], filename_prefix: 'poster' } } },
      fields: { prompt: '6.inputs.text', width: '5.inputs.width', height: '5.inputs.height', name: '9.inputs.filename_prefix' }, outputs: ['9'],
    }))
    const card = JSON.parse(await (await import('node:fs/promises')).readFile(join(import.meta.dirname, '../src/catalog/cards/comfyui-flux.json'), 'utf8'))
    writeFileSync(join(own, 'poster.json'), JSON.stringify({ ...card, id: 'poster', routes: [{ provider: 'comfyui', model: 'poster', order: 1, weight: 1 }],
      parameters: { ...card.parameters, properties: { size: card.parameters.properties.size, name: { type: 'string', maxLength: 40, default: 'plain' } } } }))
    const another = await testHouse({ settings: settings({ COMFYUI_WORKFLOWS: folder, PLANTAIN_CARDS: own }) })
    try {
      const { body } = await send(another, { model: 'poster', prompt: 'a fair', parameters: { size: '96x64', name: 'autumn' } })
      assert.deepEqual([body.state, body.outputs?.[0]?.width, body.warnings], ['done', 96, []], JSON.stringify(body.problem ?? body.error))
      assert.equal(upstream.orders()[0].prompt['9'].inputs.filename_prefix, 'autumn')
    } finally { await another.close() }
    writeFileSync(join(folder, 'poster.json'), '{ "workflow": {}, "fields": { "prompt": "6.inputs.text" } }')
    await assert.rejects(testHouse({ settings: settings({ COMFYUI_WORKFLOWS: folder }) }), /poster\.json: fields\.prompt points at node 6, which is not in the workflow/)
  } finally {
    rmSync(folder, { recursive: true })
    rmSync(own, { recursive: true })
  }
})
