/** OpenAI's door through its clients, unmodified: every method of the page, every class of error, and every way to be told no. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateImage, generateText, streamText } from 'ai'
import * as fc from 'fast-check'
import OpenAI, { APIError, APIUserAbortError, AuthenticationError, BadRequestError, InternalServerError, NotFoundError, PermissionDeniedError, RateLimitError, toFile, UnprocessableEntityError } from 'openai'
import sharp from 'sharp'
import { testHouse, type TestHouse } from './kit/house.ts'
import { draws } from './kit/chance.ts'

let house: TestHouse
let client: OpenAI
const clientFor = (apiKey: string, options: ConstructorParameters<typeof OpenAI>[0] = {}) => new OpenAI({ apiKey, baseURL: `${house.url}/v1`, maxRetries: 0, ...options })

before(async () => {
  house = await testHouse()
  client = clientFor(house.testKey)
})
after(async () => { await house?.close() })

const small = { size: '256x256', quality: 'low' } as const
const boat = { model: 'gpt-image-2', prompt: 'a paper boat on a puddle, overcast', ...small }
const tool = { type: 'image_generation' as const, size: '256x256' as never, quality: 'low' as const }

const decode = (base64: string | undefined | null) => Buffer.from(base64 ?? '', 'base64')
async function measure(bytes: Uint8Array): Promise<string> {
  const { width, height, format } = await sharp(bytes).metadata()
  return `${width}x${height} ${format}`
}
const photo = (width = 96, height = 64, background: { r: number; g: number; b: number; alpha: number } = { r: 200, g: 60, b: 40, alpha: 1 }) => sharp({ create: { width, height, channels: 4, background } }).png().toBuffer()
const fileOf = async (name = 'photo.png', bytes?: Buffer) => toFile(bytes ?? await photo(), name, { type: 'image/png' })
const rejection = async <T extends APIError>(call: Promise<unknown>, kind: new (...given: never[]) => T): Promise<T> => {
  const thrown = await call.then(() => null, error => error as unknown)
  assert.ok(thrown instanceof kind, `${kind.name} expected, got ${String(thrown)}`)
  return thrown
}
const native = async (taskId: string, key = house.testKey) => (await fetch(`${house.url}/plantain/v1/tasks/${taskId}`, { headers: { authorization: `Bearer ${key}` } })).json() as Promise<any>
const taskCount = async () => (await house.database.query<{ count: number }>('select count(*)::int as count from task')).rows[0]!.count
async function until<T>(look: () => Promise<T | null | false>, what: string): Promise<T> {
  for (let looks = 0; looks < 4_800; looks++) {
    const found = await look()
    if (found) return found
    await pause(25)
  }
  throw new Error(`${what} never came.`)
}

// Images --------------------------------------------------------------------------------------------------------------

describe('images.generate', () => {
  test('two pictures as base64, at the size asked for, and the task at our own door', async () => {
    const { data: made, response } = await client.images.generate({ ...boat, n: 2, output_format: 'webp', output_compression: 80, moderation: 'low' }).withResponse()
    assert.deepEqual([made.size, made.quality, made.background, made.output_format, made.data!.length], ['256x256', 'low', 'opaque', 'webp', 2])
    for (const one of made.data!) assert.equal(await measure(decode(one.b64_json)), '256x256 webp')
    const task = await native(response.headers.get('x-task-id')!)
    assert.deepEqual([task.state, task.model, task.outputs.length, task.operation], ['done', 'gpt-image-2', 2, 'generate'])
    assert.deepEqual(task.parameters, { count: 2, size: '256x256', quality: 'low', output_format: 'webp', moderation: 'low', output_compression: 80 })
    // Two pictures of a sixteenth of a megapixel, at six thousand micro-dollars a megapixel.
    assert.equal(task.cost.micros, 750)
    // What went in is guessed, four letters a token.
    const words = Math.ceil(boat.prompt.length / 4)
    assert.deepEqual([made.usage!.output_tokens, made.usage!.total_tokens, made.usage!.input_tokens_details], [26, 26 + words, { text_tokens: words, image_tokens: 0 }])
    assert.match((made as { _request_id?: string })._request_id!, /^[0-9a-f]{32}$/)
    assert.match(response.headers.get('openai-processing-ms')!, /^\d+$/)
  })

  for (const [size, format] of [['1024x1536', 'webp'], ['1536x864', 'jpeg']] as const) {
    test(`${size} as ${format}`, async () => {
      const made = await client.images.generate({ ...boat, size: size as never, output_format: format })
      assert.equal(await measure(decode(made.data![0]!.b64_json)), `${size} ${format}`)
    })
  }

  test('compression counts', async () => {
    const sizeAt = async (output_compression: number) => decode((await client.images.generate({ ...boat, output_format: 'jpeg', output_compression })).data![0]!.b64_json).length
    assert.ok(await sizeAt(10) * 2 < await sizeAt(95))
  })

  test('with nothing but words: our own model, three sizes, medium', async () => {
    const { data: made, response } = await client.images.generate({ prompt: 'a kite' }).withResponse()
    assert.equal(await measure(decode(made.data![0]!.b64_json)), '1024x1024 png')
    const task = await native(response.headers.get('x-task-id')!)
    assert.deepEqual([task.model, task.parameters.quality, task.cost.micros], ['gpt-image-2', 'medium', 53_000])
  })

  test('a GIF moves, new or changed', async () => {
    const wanted = { model: 'gpt-image-2', size: '256x256', output_format: 'gif', frame_count: 4, frame_duration_ms: 104 } as const
    const made = await client.images.generate({ ...wanted, prompt: 'a red kite' })
    const edited = await client.images.edit({ ...wanted, prompt: 'make it grayscale', image: await toFile(await photo(), 'photo.png', { type: 'image/png' }) })
    for (const { output_format, data } of [made, edited]) {
      const { format, width, pageHeight, pages, delay } = await sharp(decode(data![0]!.b64_json), { animated: true }).metadata()
      assert.deepEqual([output_format, format, width, pageHeight, pages, delay], ['gif', 'gif', 256, 256, 4, [100, 100, 100, 100]])
    }
  })

  test('who does not want to wait hears the task at once, and finds its picture by the id', async () => {
    const { data, response } = await client.images.generate({ ...boat, prompt: 'a boat nobody waits for sandbox:slow=2s' }, { headers: { prefer: 'respond-async' } }).withResponse()
    const { id, object, status } = data as unknown as { id: string; object: string; status: string }
    assert.deepEqual([response.status, object, ['queued', 'in_progress'].includes(status), data.data], [202, 'task', true, []])
    assert.deepEqual([response.headers.get('x-task-id'), response.headers.get('location'), response.headers.get('preference-applied')], [id, `/plantain/v1/tasks/${id}`, 'respond-async'])
    await fetch(`${house.url}/plantain/v1/tasks/${id}/wait?timeout=60`, { headers: { authorization: `Bearer ${house.testKey}` } })
    const [call] = (await client.responses.retrieve(`resp_${id}`)).output
    assert.ok(call!.type === 'image_generation_call')
    assert.equal(await measure(decode(call.result!)), '256x256 png')
  })

  test('a link is good without a key', async () => {
    const made = await client.images.generate({ ...boat, response_format: 'url' })
    assert.equal(made.data![0]!.b64_json, undefined)
    assert.equal(await measure(new Uint8Array(await (await fetch(made.data![0]!.url!)).arrayBuffer())), '256x256 png')
  })

  test('old names and words are served, and it is said', async () => {
    const { data: made, response } = await client.images.generate({ model: 'dall-e-3', prompt: 'a kite', size: '1792x1024', quality: 'hd', style: 'vivid', user: 'someone' }).withResponse()
    assert.equal(await measure(decode(made.data![0]!.b64_json)), '1792x1024 png')
    const task = await native(response.headers.get('x-task-id')!)
    assert.deepEqual(task.warnings, ['dall-e-3 is served by gpt-image-2.', 'quality hd became high.', 'style has no effect on gpt-image-2; say it in the prompt.'])
  })

  test('a model that thinks in ratios gets one, and other makers\' settings reach it', async () => {
    const { data: made, response } = await client.images.generate({ model: 'nano-banana-2', prompt: 'a kite', size: '512x512', seed: 7, guidance: 3 } as OpenAI.ImageGenerateParamsNonStreaming).withResponse()
    assert.equal(await measure(decode(made.data![0]!.b64_json)), '512x512 png')
    const task = await native(response.headers.get('x-task-id')!)
    assert.deepEqual([task.parameters.aspect_ratio, task.parameters.resolution, task.parameters.seed], ['1:1', '512', 7])
    assert.deepEqual(task.warnings, ['nano-banana-2 thinks in ratios: size 512x512 became aspect_ratio 1:1 and resolution 512.', 'Ignored, because nobody here knows it: guidance.'])
  })

  test('streamed: pictures on the way, then the picture', async () => {
    const { data: stream, response } = await client.images.generate({ ...boat, stream: true, partial_images: 2 }).withResponse()
    const events = []
    for await (const event of stream) events.push(event)
    // The last ones on the way may be overtaken by the picture itself.
    const partials = events.slice(0, -1).map(event => event.type === 'image_generation.partial_image' ? event.partial_image_index : event.type)
    assert.ok(partials.length >= 1)
    assert.deepEqual(partials, [0, 1].slice(0, partials.length))
    for (const event of events) assert.equal(await measure(decode(event.b64_json)), `${event.size} ${event.output_format}`)
    const last = events.at(-1)!
    assert.ok(last.type === 'image_generation.completed' && last.usage.output_tokens === 13, last.type)
    assert.equal((await native(response.headers.get('x-task-id')!)).state, 'done')
  })

  test('streamed, several pictures: one event for each', async () => {
    const types = []
    for await (const event of await client.images.generate({ ...boat, n: 3, stream: true })) types.push(event.type)
    assert.deepEqual(types, Array(3).fill('image_generation.completed'))
  })

  test('a failure in the stream is thrown with its code', async () => {
    const thrown = await rejection((async () => { for await (const _ of await client.images.generate({ ...boat, prompt: 'sandbox:slow=100ms sandbox:moderation a fight', stream: true })); })(), APIError)
    assert.deepEqual([thrown.code, thrown.type], ['moderation_blocked', 'image_generation_user_error'])
  })

  test('part of what was asked for comes with a warning, and only that is paid', async () => {
    const { data: made, response } = await client.images.generate({ ...boat, prompt: 'a kite sandbox:partial', n: 4 }).withResponse()
    assert.equal(made.data!.length, 3)
    assert.equal((await native(response.headers.get('x-task-id')!)).cost.micros, 1_125)
  })
})

describe('images.edit', () => {
  test('one picture, as a file', async () => {
    const { data: made, response } = await client.images.edit({ model: 'gpt-image-2', image: await fileOf(), prompt: 'make the background blue', ...small }).withResponse()
    assert.equal(await measure(decode(made.data![0]!.b64_json)), '256x256 png')
    const task = await native(response.headers.get('x-task-id')!)
    assert.deepEqual([task.operation, task.inputs.map(({ role }: { role: string }) => role)], ['edit', ['reference']])
  })

  test('several pictures and a mask, whose order in the form means nothing', async () => {
    const { response } = await client.images.edit({
      mask: await fileOf('mask.png', await photo(96, 64, { r: 0, g: 0, b: 0, alpha: 0 })), image: [await fileOf('a.png'), await fileOf('b.png')], prompt: 'combine them', n: 2, ...small,
    }).withResponse()
    const task = await native(response.headers.get('x-task-id')!)
    assert.deepEqual([task.inputs.map(({ role }: { role: string }) => role), task.outputs.length], [['reference', 'reference', 'mask'], 2])
  })

  test('a transparent background keeps its alpha', async () => {
    const made = await client.images.edit({ model: 'gpt-image-2', image: await fileOf(), prompt: 'transparent background', background: 'transparent', output_format: 'webp', ...small })
    assert.deepEqual([made.background, (await sharp(decode(made.data![0]!.b64_json)).metadata()).hasAlpha], ['transparent', true])
  })

  test('without a size it is one of three, by the shape of the picture', async () => {
    const made = await client.images.edit({ image: await fileOf('wide.png', await photo(300, 200)), prompt: 'make it blue', quality: 'low' })
    assert.equal(await measure(decode(made.data![0]!.b64_json)), '1536x1024 png')
  })

  test('streamed', async () => {
    const events = []
    for await (const event of await client.images.edit({ image: await fileOf(), prompt: 'make it blue', stream: true, partial_images: 1, ...small })) events.push(event)
    assert.deepEqual([...new Set(events.map(event => event.type))].at(-1), 'image_edit.completed')
    assert.ok(events.every(event => event.type.startsWith('image_edit.')))
    assert.equal(await measure(decode(events.at(-1)!.b64_json)), '256x256 png')
  })

  test('as JSON: data URLs, links and ids of ours', async () => {
    const bytes = await sharp({ create: { width: 300, height: 300, channels: 3, background: 'white', noise: { type: 'gaussian', mean: 120, sigma: 60 } } }).png().toBuffer()
    assert.ok(bytes.length > 60_000, 'long enough to be decoded on its way in')
    const dataUrl = `data:image/png;base64,${bytes.toString('base64')}`
    const { outputs: [{ id }] } = await native((await client.images.generate(boat).withResponse()).response.headers.get('x-task-id')!)
    const link = (await client.images.generate({ ...boat, response_format: 'url' })).data![0]!.url!
    const made = await client.post<OpenAI.ImagesResponse>('/images/edits', { body: {
      model: 'gpt-image-2', prompt: 'make it blue', images: [{ image_url: dataUrl }, { image_url: link }, { file_id: `file-${id}` }], mask: { image_url: dataUrl }, size: '256x256', n: null,
    } })
    assert.equal(await measure(decode(made.data![0]!.b64_json)), '256x256 png')
  })

  test('input_fidelity where the model has it', async () => {
    const { response } = await client.images.edit({ model: 'gpt-image-1.5', image: await fileOf(), prompt: 'make it blue', input_fidelity: 'high', quality: 'low', size: '1024x1024' }).withResponse()
    assert.deepEqual((await native(response.headers.get('x-task-id')!)).cost.micros, 9_000)
    await rejection(client.images.edit({ model: 'gpt-image-1-mini', image: await fileOf(), prompt: 'make it blue', input_fidelity: 'high' }), BadRequestError)
  })
})

test('images.createVariation answers with links', async () => {
  const made = await client.images.createVariation({ image: await fileOf(), n: 2, size: '256x256' })
  assert.equal(made.data!.length, 2)
  assert.equal(await measure(new Uint8Array(await (await fetch(made.data![0]!.url!)).arrayBuffer())), '256x256 png')
})

// Films ---------------------------------------------------------------------------------------------------------------

describe('videos', () => {
  const finished = (id: string) => until(async () => { const video = await client.videos.retrieve(id); return video.status === 'completed' || video.status === 'failed' ? video : null }, `The film ${id}`)

  test('made, watched, listed, remixed, edited, extended and deleted', async () => {
    const created = await client.videos.create({ prompt: 'waves on a pier', seconds: '4', size: '1280x720', input_reference: await fileOf() })
    assert.deepEqual([created.object, created.model, created.seconds, created.size, created.prompt, created.error, created.remixed_from_video_id], ['video', 'sora-2', '4', '1280x720', 'waves on a pier', null, null])
    assert.ok(created.status === 'queued' || created.status === 'in_progress')
    const video = await finished(created.id)
    assert.deepEqual([video.status, video.progress], ['completed', 100])
    assert.ok(video.completed_at! >= video.created_at)

    const film = await client.videos.downloadContent(video.id)
    assert.equal(film.headers.get('content-type'), 'image/webp')
    assert.ok((await sharp(Buffer.from(await film.arrayBuffer()), { animated: true }).metadata()).pages! > 1)
    const thumbnail = await client.videos.downloadContent(video.id, { variant: 'thumbnail' })
    assert.equal((await sharp(Buffer.from(await thumbnail.arrayBuffer())).metadata()).format, 'webp')
    await rejection(client.videos.downloadContent(video.id, { variant: 'spritesheet' }), BadRequestError)

    const remixed = await client.videos.remix(video.id, { prompt: 'the same at night' })
    assert.deepEqual([remixed.remixed_from_video_id, remixed.size, remixed.seconds, remixed.prompt], [video.id, '1280x720', '4', 'the same at night'])
    const edited = await client.videos.edit({ prompt: 'in winter', video: { id: video.id } })
    const extended = await client.videos.extend({ prompt: 'and on', seconds: '8', video: { id: video.id } })
    assert.deepEqual([edited.size, extended.seconds], ['1280x720', '8'])

    const listed = []
    for await (const one of client.videos.list({ limit: 2 })) listed.push(one.id)
    assert.deepEqual(listed.slice(-4), [extended.id, edited.id, remixed.id, video.id])
    const rising = []
    for await (const one of client.videos.list({ limit: 3, order: 'asc' })) rising.push(one.id)
    assert.deepEqual(rising, [...listed].reverse())

    for (const one of [remixed, edited, extended]) assert.equal((await finished(one.id)).status, 'completed')
    assert.deepEqual(await client.videos.delete(video.id), { id: video.id, object: 'video.deleted', deleted: true })
    await rejection(client.videos.retrieve(video.id), NotFoundError)
  })

  test('sora-2-pro is larger and dearer; JSON will do as well', async () => {
    const { data: video, response } = await client.post<OpenAI.Video>('/videos', { body: { model: 'sora-2-pro', prompt: 'waves', seconds: 4, size: '1792x1024' } }).withResponse()
    assert.deepEqual([video.seconds, video.size], ['4', '1792x1024'])
    assert.equal((await native(response.headers.get('x-task-id')!)).price.micros, 2_000_000)
    assert.equal((await finished(video.id)).status, 'completed')
  })

  test('one that fails says why', async () => {
    const video = await finished((await client.videos.create({ prompt: 'waves sandbox:moderation' })).id)
    assert.deepEqual([video.status, video.error!.code], ['failed', 'moderation_blocked'])
    await rejection(client.videos.downloadContent(video.id), NotFoundError)
  })

  test('one that is not ready cannot be downloaded, remixed or deleted', async () => {
    const video = await client.videos.create({ prompt: 'waves sandbox:slow=60s' })
    for (const call of [() => client.videos.downloadContent(video.id), () => client.videos.remix(video.id, { prompt: 'x' }), () => client.videos.delete(video.id)]) await rejection(call(), BadRequestError)
    await fetch(`${house.url}/plantain/v1/tasks/${video.id.slice(6)}/cancel`, { method: 'POST', headers: { authorization: `Bearer ${house.testKey}` } })
    assert.equal((await client.videos.retrieve(video.id)).error!.code, 'cancelled')
  })

  test('characters are kept and found', async () => {
    const film = await sharp(await photo(64, 64)).gif().toBuffer()
    const character = await client.videos.createCharacter({ name: 'Otto', video: await toFile(film, 'otto.gif') })
    assert.equal(character.name, 'Otto')
    assert.deepEqual((await client.videos.getCharacter(character.id!)).id, character.id)
    await rejection(client.videos.getCharacter('char_0'), NotFoundError)
  })
})

// Responses -----------------------------------------------------------------------------------------------------------

describe('responses', () => {
  const pictureOf = (response: OpenAI.Responses.Response) => response.output.find(item => item.type === 'image_generation_call')!

  test('made, gone on from, read, and deleted', async () => {
    const first = await client.responses.create({ model: 'gpt-5.5', instructions: 'Paint.', input: 'a red fox in the snow', tools: [tool], metadata: { shop: '7' } })
    assert.deepEqual([first.status, first.model, first.instructions, first.metadata, first.error], ['completed', 'gpt-5.5', 'Paint.', { shop: '7' }, null])
    const call = pictureOf(first)
    assert.equal(await measure(decode(call.result)), '256x256 png')
    assert.ok(first.output_text.length > 0, 'words come with the picture')

    const second = await client.responses.create({ model: 'gpt-5.5', input: 'make the background blue', previous_response_id: first.id, tools: [tool] })
    assert.equal(second.previous_response_id, first.id)
    const task = await native(second.id.slice(5))
    const before = await native(first.id.slice(5))
    assert.deepEqual([task.operation, task.prompt, task.inputs[0].asset], ['edit', 'make the background blue', before.outputs[0].id])

    // By the item's id, or the whole item with its picture.
    for (const item of [{ type: 'image_generation_call', id: call.id }, { type: 'image_generation_call', id: 'ig_elsewhere', status: 'completed', result: call.result }]) {
      const again = await client.responses.create({ model: 'gpt-5.5', tools: [{ ...tool, action: 'edit' }], input: [
        { role: 'user', content: 'a red fox' }, item as never, { role: 'user', content: [{ type: 'input_text', text: 'make it night' }] },
      ] })
      const made = await native(again.id.slice(5))
      assert.deepEqual([made.prompt, made.inputs.length], ['make it night', 1])
    }

    const read = await client.responses.retrieve(first.id)
    assert.deepEqual(pictureOf(read).result, call.result)
    const items = []
    for await (const item of client.responses.inputItems.list(second.id)) items.push(item)
    assert.equal(items.length, 1)

    const types: string[] = []
    for await (const event of await client.responses.retrieve(first.id, { stream: true, starting_after: 3 })) types.push(`${event.sequence_number} ${event.type}`)
    assert.equal(types[0], '4 response.image_generation_call.generating')
    assert.ok(types.at(-1)!.endsWith('response.completed'))

    await client.responses.delete(first.id)
    await rejection(client.responses.retrieve(first.id), NotFoundError)
    await rejection(client.responses.create({ model: 'gpt-5.5', input: 'on', previous_response_id: first.id, tools: [tool] }), BadRequestError)
  })

  test('the instruction first and the picture behind it, as their guide has it', async () => {
    const first = await client.responses.create({ model: 'gpt-5.5', input: 'a fox', tools: [tool] })
    const call = pictureOf(first)
    const said: OpenAI.Responses.ResponseInputItem = { role: 'user', content: [{ type: 'input_text', text: 'make it grayscale' }] }
    for (const named of [{ type: 'image_generation_call', id: call.id } as OpenAI.Responses.ResponseInputItem.ImageGenerationCall, call]) {
      const second = await client.responses.create({ model: 'gpt-5.5', input: [said, named], tools: [tool] })
      assert.match(second.output_text, /grayscale/)
    }
  })

  test('a picture of one\'s own, and a mask', async () => {
    const image_url = `data:image/png;base64,${(await photo()).toString('base64')}`
    const response = await client.responses.create({ model: 'gpt-5.5', tool_choice: { type: 'image_generation' }, tools: [{ ...tool, input_image_mask: { image_url } }], input: [
      { role: 'user', content: [{ type: 'input_text', text: 'a winter coat' }, { type: 'input_image', image_url, detail: 'auto' }] },
    ] })
    assert.deepEqual((await native(response.id.slice(5))).inputs.map(({ role }: { role: string }) => role), ['reference', 'mask'])
    assert.equal((pictureOf(response) as { action?: string }).action, 'edit')
  })

  test('a picture that comes as a file', async () => {
    const bytes = await photo()
    const file = await client.files.create({ file: await toFile(bytes, 'a.png', { type: 'image/png' }), purpose: 'user_data' })
    for (const source of [{ file_id: file.id }, { filename: 'a.png', file_data: `data:image/png;base64,${bytes.toString('base64')}` }, { filename: 'a.png', file_data: bytes.toString('base64') }]) {
      const response = await client.responses.create({ model: 'gpt-5.5', tools: [tool], input: [{ role: 'user', content: [{ type: 'input_text', text: 'make it blue' }, { type: 'input_file', ...source }] }] })
      const { operation, inputs } = await native(response.id.slice(5))
      assert.deepEqual([operation, inputs.length], ['edit', 1])
    }
  })

  test('what nobody here knows is told', async () => {
    const { response } = await client.responses.create({ model: 'gpt-5.5', tools: [tool], input: 'a red fox', wings: 2 } as never).withResponse()
    assert.match(response.headers.get('x-warnings')!, /Ignored, because nobody here knows it: wings/)
  })

  test('streamed, in the order of the page, as the helper wants it', async () => {
    const stream = client.responses.stream({ model: 'gpt-5.5', input: 'a red fox', tools: [{ ...tool, partial_images: 2 }] })
    const events: { type: string; sequence_number: number }[] = []
    stream.on('event', event => events.push(event))
    const final = await stream.finalResponse()
    const partial = 'image_generation_call.partial_image'
    const types = events.map(event => event.type.replace('response.', ''))
    assert.ok(types.includes(partial))
    assert.deepEqual(types.filter((type, index) => type !== partial || types[index - 1] !== partial), [
      'created', 'in_progress', 'output_item.added', 'image_generation_call.in_progress', 'image_generation_call.generating',
      partial, 'image_generation_call.completed', 'output_item.done',
      'output_item.added', 'content_part.added', 'output_text.delta', 'output_text.done', 'content_part.done', 'output_item.done', 'completed',
    ])
    assert.deepEqual(events.map(event => event.sequence_number), events.map((_, index) => index))
    assert.equal(await measure(decode(pictureOf(final).result)), '256x256 png')
  })

  test('streamed, and failed', async () => {
    const stream = client.responses.stream({ model: 'gpt-5.5', input: 'a fight sandbox:moderation', tools: [tool] })
    const final = await stream.finalResponse()
    assert.deepEqual([final.status, final.error!.code], ['failed', 'image_content_policy_violation'])
  })

  test('in the background, and cancelled', async () => {
    const later = await client.responses.create({ model: 'gpt-5.5', input: 'a red fox', tools: [tool], background: true })
    assert.ok(later.status === 'queued' || later.status === 'in_progress')
    const done = await until(async () => { const one = await client.responses.retrieve(later.id); return one.status === 'completed' ? one : null }, 'The response')
    assert.equal(done.output[0]!.type, 'image_generation_call')
    const slow = await client.responses.create({ model: 'gpt-5.5', input: 'a red fox sandbox:slow=30s', tools: [tool], background: true })
    assert.equal((await client.responses.cancel(slow.id)).status, 'cancelled')
    await rejection(client.responses.cancel((await client.responses.create({ model: 'gpt-5.5', input: 'a fox', tools: [tool] })).id), BadRequestError)
  })

  test('what is not to be stored cannot be read back here', async () => {
    const response = await client.responses.create({ model: 'gpt-5.5', input: 'a red fox', tools: [tool], store: false })
    await rejection(client.responses.retrieve(response.id), NotFoundError)
  })

  test('a model of pictures needs no tool', async () => {
    const response = await client.responses.create({ model: 'nano-banana', input: 'a red fox' })
    assert.equal((await native(response.id.slice(5))).model, 'nano-banana')
  })
})

// Chat ----------------------------------------------------------------------------------------------------------------

describe('chat.completions', () => {
  const body = { model: 'nano-banana-2', modalities: ['image', 'text'] as never, image_config: { aspect_ratio: '16:9', image_size: '512' } }
  type Pictured = { images?: { image_url: { url: string } }[] }

  test('a picture in the message, and the next turn about it', async () => {
    const completion = await client.chat.completions.create({ ...body, messages: [{ role: 'system', content: 'Flat colours.' }, { role: 'user', content: 'a red fox' }] })
    const [choice] = completion.choices
    const { images } = choice!.message as Pictured
    assert.deepEqual([choice!.finish_reason, typeof choice!.message.content, images!.length, completion.usage!.completion_tokens], ['stop', 'string', 1, 747])
    const [head, base64] = images![0]!.image_url.url.split(',')
    assert.equal(head, 'data:image/png;base64')
    assert.equal(await measure(decode(base64)), '688x384 png')

    const { response } = await client.chat.completions.create({ ...body, messages: [
      { role: 'user', content: 'a red fox' }, choice!.message, { role: 'user', content: [{ type: 'text', text: 'make it night' }] },
    ] }).withResponse()
    const task = await native(response.headers.get('x-task-id')!)
    assert.deepEqual([task.prompt, task.operation, task.inputs.length], ['make it night', 'edit', 1])
  })

  test('what clients always send, and means nothing, is taken', async () => {
    const completion = await client.chat.completions.create({ ...body, tools: [], tool_choice: 'none', response_format: { type: 'text' }, n: 1, stop: null, logprobs: false, reasoning_effort: 'low', messages: [{ role: 'user', content: 'a red fox' }] } as OpenAI.ChatCompletionCreateParamsNonStreaming)
    assert.equal((completion.choices[0]!.message as Pictured).images!.length, 1)
  })

  test('a picture that is shown is edited', async () => {
    const { response } = await client.chat.completions.create({ ...body, messages: [{ role: 'user', content: [
      { type: 'text', text: 'make it blue' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${(await photo()).toString('base64')}`, detail: 'auto' } },
    ] }] }).withResponse()
    assert.equal((await native(response.headers.get('x-task-id')!)).operation, 'edit')
  })

  test('streamed, through the helper', async () => {
    const stream = client.chat.completions.stream({ ...body, stream_options: { include_usage: true }, messages: [{ role: 'user', content: 'a red fox' }] })
    const final = await stream.finalChatCompletion()
    assert.equal((final.choices[0]!.message as Pictured).images!.length, 1)
    assert.deepEqual([final.usage!.prompt_tokens, final.usage!.completion_tokens, final.usage!.total_tokens], [3, 747, 750])
  })

  test('a model that thinks in pixels gets some; links in the words where wanted', async () => {
    const completion = await client.chat.completions.create({ model: 'gpt-image-2', messages: [{ role: 'user', content: 'a red fox' }], image_config: { aspect_ratio: '16:9', image_size: '512', quality: 'low' }, images_in_content: true } as OpenAI.ChatCompletionCreateParamsNonStreaming)
    const { images } = completion.choices[0]!.message as Pictured
    assert.equal(await measure(decode(images![0]!.image_url.url.split(',')[1])), '912x512 png')
    const link = /!\[image\]\((.+)\)/.exec(completion.choices[0]!.message.content!)![1]!
    assert.equal((await fetch(link)).status, 200)
  })

  test('Gemini\'s words in extra_body', async () => {
    const { response } = await client.chat.completions.create({ model: 'nano-banana-2', messages: [{ role: 'user', content: 'a red fox' }], extra_body: { google: { generation_config: { imageConfig: { aspectRatio: '3:4', imageSize: '512' } } } } } as OpenAI.ChatCompletionCreateParamsNonStreaming).withResponse()
    const task = await native(response.headers.get('x-task-id')!)
    assert.deepEqual([task.parameters.aspect_ratio, task.parameters.resolution], ['3:4', '512'])
  })
})

test('models are listed and found by any name', async () => {
  const ids = []
  for await (const model of client.models.list()) ids.push(model.id)
  for (const id of ['gpt-image-2', 'gpt-image-2.5-flare', 'gpt-image-2.5-sunburst', 'gpt-image-1.5', 'gpt-image-1-mini', 'sora-2', 'nano-banana-2']) assert.ok(ids.includes(id), id)
  assert.deepEqual(await client.models.retrieve('gpt-image-1-mini'), { id: 'gpt-image-1-mini', object: 'model', created: 1759708800, owned_by: 'openai', shutdown_date: '2026-12-01' })
  assert.equal((await client.models.retrieve('google/nano-banana')).id, 'google/nano-banana')
  await rejection(client.models.retrieve('gpt-image-9'), NotFoundError)
})

// Other clients -------------------------------------------------------------------------------------------------------

describe('the AI SDK', () => {
  const provider = () => createOpenAI({ apiKey: house.testKey, baseURL: `${house.url}/v1` })
  const compatible = () => createOpenAICompatible({ name: 'plantain', apiKey: house.testKey, baseURL: `${house.url}/v1` })

  test('generateImage with @ai-sdk/openai', async () => {
    const { images } = await generateImage({ model: provider().image('gpt-image-2'), prompt: 'a kite', n: 2, size: '256x256', providerOptions: { openai: { quality: 'low' } } })
    assert.equal(images.length, 2)
    for (const image of images) assert.equal(await measure(image.uint8Array), '256x256 png')
  })

  test('another model, one call for each picture', async () => {
    const { images } = await generateImage({ model: provider().image('nano-banana'), prompt: 'a kite', n: 2 })
    assert.equal(images.length, 2)
  })

  test('an edit, with a mask', async () => {
    const { images } = await generateImage({ model: provider().image('gpt-image-2'), size: '256x256', prompt: { text: 'make it blue', images: [await photo(), await photo()], mask: await photo() } })
    assert.equal(await measure(images[0]!.uint8Array), '256x256 png')
  })

  test('generateImage and an edit with @ai-sdk/openai-compatible', async () => {
    const { images } = await generateImage({ model: compatible().imageModel('gpt-image-2'), prompt: 'a kite', n: 3, size: '256x256' })
    assert.equal(images.length, 3)
    const edited = await generateImage({ model: compatible().imageModel('gpt-image-2'), size: '256x256', prompt: { text: 'make it blue', images: [await photo()] } })
    assert.equal(await measure(edited.images[0]!.uint8Array), '256x256 png')
  })

  test('the image tool, whole and streamed', async () => {
    const call = { model: provider().responses('gpt-5.5'), prompt: 'a red fox', tools: { image_generation: provider().tools.imageGeneration({ size: '1024x1024', quality: 'low' }) } }
    const { staticToolResults, text } = await generateText(call)
    assert.equal(await measure(decode((staticToolResults[0] as any).output.result)), '1024x1024 png')
    assert.ok(text.length > 0)
    const results: any[] = []
    for await (const part of streamText(call).fullStream) if (part.type === 'tool-result') results.push(part)
    assert.equal(await measure(decode(results.at(-1).output.result)), '1024x1024 png')
  })

  test('a refused prompt is not tried again', async () => {
    const before = await taskCount()
    await assert.rejects(generateImage({ model: provider().image('gpt-image-2'), prompt: 'a fight sandbox:moderation', size: '256x256' }), (error: any) => error.statusCode === 400 && /refuse/.test(error.message))
    assert.equal(await taskCount(), before + 1)
  })
})

// No ------------------------------------------------------------------------------------------------------------------

describe('errors are the SDK\'s own classes', () => {
  test('a wrong key', async () => {
    const error = await rejection(clientFor('sk-test-nobody').images.generate(boat), AuthenticationError)
    assert.deepEqual([error.code, error.type], ['invalid_api_key', 'invalid_request_error'])
    assert.ok(error.requestID)
  })
  test('a key that may only read', async () => {
    const { testKey } = await house.newAccount({ scopes: ['tasks:read'] })
    await rejection(clientFor(testKey).images.generate(boat), PermissionDeniedError)
  })
  test('no such model', async () => {
    const error = await rejection(client.images.generate({ ...boat, model: 'gpt-image-22' }), NotFoundError)
    assert.deepEqual([error.code, error.param], ['model_not_found', 'model'])
    assert.match(error.message, /gpt-image-2/)
  })
  test('a refused prompt', async () => {
    const error = await rejection(client.images.generate({ ...boat, prompt: 'a fight sandbox:moderation' }), BadRequestError)
    assert.deepEqual([error.code, error.type], ['moderation_blocked', 'image_generation_user_error'])
    assert.deepEqual((error.error as any).moderation_details, { moderation_stage: 'unknown', categories: [] })
    assert.ok(error.headers.get('x-task-id'))
  })
  test('no credit: told once', async () => {
    const before = await taskCount()
    let calls = 0
    const counting = clientFor(house.testKey, { maxRetries: 2, fetch: (url, init) => { calls++; return fetch(url, init) } })
    const error = await rejection(counting.images.generate({ ...boat, prompt: 'a kite sandbox:credits' }), RateLimitError)
    assert.deepEqual([error.code, error.type, calls, await taskCount()], ['insufficient_quota', 'insufficient_quota', 1, before])
    const { testKey } = await house.newAccount({ testDollars: 0.01 })
    const poor = await rejection(clientFor(testKey).images.generate({ prompt: 'a kite' }), RateLimitError)
    assert.match(poor.message, /\$0\.053 and \$0\.01 is available/)
  })
  test('too many requests', async () => {
    const { testKey } = await house.newAccount({ limits: { requestsPerMinute: 1 } })
    await clientFor(testKey).images.generate(boat)
    const error = await rejection(clientFor(testKey).images.generate(boat), RateLimitError)
    assert.equal(error.code, 'rate_limit_exceeded')
    assert.ok(Number(error.headers.get('retry-after')) > 0)
    assert.deepEqual([error.headers.get('x-ratelimit-limit-requests'), error.headers.get('x-should-retry')], ['1', 'true'])
  })
  test('an upstream that broke, and one nobody heard from again', async () => {
    const error = await rejection(client.images.generate({ ...boat, prompt: 'a kite sandbox:fail=501' }), InternalServerError)
    assert.deepEqual([error.status, error.code, error.headers.get('x-should-retry')], [502, 'provider_failed', 'false'])
    const lost = await rejection(clientFor(house.testKey, { maxRetries: 2 }).images.generate({ ...boat, prompt: 'a kite sandbox:lost' }), APIError)
    assert.deepEqual([lost.status, lost.code], [424, 'outcome_unknown'])
  })
  test('a live key reaches the provider and pays', async () => {
    const { data: made, response } = await clientFor(house.liveKey).images.generate({ model: 'rehearsal-1', prompt: 'a kite' }).withResponse()
    assert.ok(decode(made.data![0]!.b64_json).length > 0)
    const task = await native(response.headers.get('x-task-id')!, house.liveKey)
    assert.deepEqual([task.livemode, task.served_by, task.cost.micros > 0], [true, 'rehearsal', true])
  })
  test('a live key without a provider', async () => {
    const error = await rejection(clientFor(house.liveKey).images.generate(boat), InternalServerError)
    assert.deepEqual([error.status, error.code], [503, 'provider_not_configured'])
  })
  test('another body under the same key', async () => {
    const options = { headers: { 'idempotency-key': 'same-key' } }
    const first = await client.images.generate(boat, options).withResponse()
    const again = await client.images.generate(boat, options).withResponse()
    assert.deepEqual([again.response.headers.get('x-task-id'), again.response.headers.get('idempotent-replayed'), again.data.data![0]!.b64_json], [first.response.headers.get('x-task-id'), 'true', first.data.data![0]!.b64_json])
    const error = await rejection(client.images.generate({ ...boat, prompt: 'another' }, options), UnprocessableEntityError)
    assert.equal(error.code, 'idempotency_mismatch')
  })
  test('somebody else\'s task is not there', async () => {
    const response = await client.responses.create({ model: 'gpt-5.5', input: 'a red fox', tools: [tool] })
    const stranger = clientFor((await house.newAccount()).testKey)
    await rejection(stranger.responses.retrieve(response.id), NotFoundError)
    await rejection(stranger.responses.delete(response.id), NotFoundError)
    await rejection(stranger.responses.create({ model: 'gpt-5.5', input: 'on', previous_response_id: response.id, tools: [tool] }), BadRequestError)
    await rejection(stranger.videos.retrieve(`video_${response.id.slice(5)}`), NotFoundError)
  })
  test('a base address whose version the client adds again is still its own', async () => {
  const doubled = new OpenAI({ apiKey: house.testKey, baseURL: `${house.url}/v1/v1`, maxRetries: 0 })
  assert.equal((await doubled.models.retrieve('gpt-image-2')).id, 'gpt-image-2')
  const { response } = await doubled.images.generate({ ...small, prompt: 'a mug' }).withResponse()
  assert.deepEqual([response.headers.get('x-cost-usd') !== null, response.headers.get('x-served-by')], [true, 'sandbox-1'])
  for (const path of ['/v1/v1beta/models', '/v1beta/v1beta/models/gemini-3.1-flash-image']) assert.equal((await fetch(house.url + path, { headers: { 'x-goog-api-key': house.testKey } })).status, 200, path)
})

test('what a model does in a way of its own is told in a header', async () => {
  const { response } = await client.images.generate({ model: 'nano-banana-2', prompt: 'a mug', size: '512x512' }).withResponse()
  assert.match(response.headers.get('x-warnings')!, /thinks in ratios: size 512x512 became/)
})

test('an address that is not there', async () => {
  // Other doors have these addresses too: a no is said in the words of who asks.
  const refused = await client.models.delete('gpt-image-2').then(() => null, (thrown: unknown) => thrown)
  assert.ok(refused instanceof APIError && refused.status === 405 && refused.type === 'invalid_request_error' && refused.code === 'method_not_allowed', String(refused))
    const error = await rejection(client.post('/nothing', { body: {} }), NotFoundError)
    assert.equal(error.type, 'invalid_request_error')
  })
})

describe('trying again', () => {
  /** Says that it waits for a second, and waits longer: which of the two gives up first is no question of luck. */
  const hurried: typeof fetch = (url, init = {}) => {
    const headers = new Headers(init.headers)
    assert.equal(headers.get('x-stainless-timeout'), '60', 'the client says by itself how long it waits')
    headers.set('x-stainless-timeout', '1')
    return fetch(url, { ...init, headers })
  }

  test('a client that gave up waiting and tries again finds its picture, bought once', async () => {
    const before = await taskCount()
    const { data: made, response } = await clientFor(house.testKey, { maxRetries: 12 }).images.generate({ ...boat, prompt: 'a kite sandbox:slow=1200ms' }, { timeout: 1_000 }).withResponse()
    assert.equal(await measure(decode(made.data![0]!.b64_json)), '256x256 png')
    assert.deepEqual([await taskCount(), response.headers.get('idempotent-replayed')], [before + 1, 'true'])
  })

  test('one that does not try again is told which task goes on', async () => {
    const error = await rejection(clientFor(house.testKey, { fetch: hurried }).images.generate({ ...boat, prompt: 'another kite sandbox:slow=4s' }, { timeout: 60_000 }), InternalServerError)
    assert.deepEqual([error.status, error.code], [504, 'timeout'])
    const taskId = error.headers.get('x-task-id')!
    assert.ok(error.message.includes(taskId))
    assert.equal(await until(async () => { const task = await native(taskId); return task.state === 'done' ? task.state : null }, 'The picture'), 'done')
  })

  test('a stream that is left in the middle loses nothing, and the same call finds it', async () => {
    const wish = { ...boat, prompt: 'a boat sandbox:slow=3s' }
    const before = await taskCount()
    const { data: stream, response } = await client.images.generate({ ...wish, stream: true }).withResponse()
    stream.controller.abort()
    const taskId = response.headers.get('x-task-id')!
    const aborted = new AbortController()
    const call = client.images.generate({ ...wish, prompt: 'a ship sandbox:slow=3s' }, { signal: aborted.signal })
    await until(async () => await taskCount() === before + 2, 'The second task')
    aborted.abort()
    await rejection(call, APIUserAbortError)
    await until(async () => (await house.database.query('select 1 from recent_call where task_id = $1 and unanswered', [taskId])).rows[0] ?? null, 'The note')
    const events = []
    const again = await client.images.generate({ ...wish, stream: true }).withResponse()
    for await (const event of again.data) events.push(event.type)
    assert.deepEqual([again.response.headers.get('x-task-id'), events, await taskCount()], [taskId, ['image_generation.completed'], before + 2])
  })

  test('a busy upstream is waited for', async () => {
    const made = await client.images.generate({ ...boat, prompt: 'a kite sandbox:busy' })
    assert.equal(made.data!.length, 1)
  })
})

// Bad input -----------------------------------------------------------------------------------------------------------

test('whatever a body holds, it is refused and never a bug', async () => {
  // Nothing can be bought with this key, so what happens to be right is refused as well.
  const { testKey } = await house.newAccount({ testDollars: 0 })
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom('auto', '1024x1024', 'high', 'png', 'webp', 'transparent', 'a fox', true, 1, 'gpt-image-2', 'nano-banana', 'sora-2', 'resp_0'))
  const names = ['model', 'prompt', 'n', 'size', 'quality', 'background', 'output_format', 'output_compression', 'stream', 'partial_images', 'response_format', 'images', 'mask', 'seconds', 'input_reference',
    'video', 'input', 'tools', 'tool_choice', 'previous_response_id', 'metadata', 'instructions', 'messages', 'modalities', 'image_config', 'extra_body', 'seed', 'aspect_ratio', 'user']
  const body = fc.oneof(fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 12 }), fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 5 }).map(more => ({ model: 'gpt-image-2', prompt: 'a fox', ...more })),
    value.map(content => ({ model: 'nano-banana', messages: [{ role: 'user', content }], input: [{ role: 'user', content }, content], tools: [{ type: 'image_generation', size: content }] })))
  await fc.assert(fc.asyncProperty(fc.constantFrom('/v1/images/generations', '/v1/images/edits', '/v1/videos', '/v1/videos/edits', '/v1/responses', '/v1/chat/completions'), body, async (path, sent) => {
    const response = await fetch(house.url + path, { method: 'POST', headers: { authorization: `Bearer ${testKey}`, 'content-type': 'application/json' }, body: JSON.stringify(sent) })
    const { error } = await response.json() as { error: { message: string } }
    assert.ok(response.status >= 400 && response.status < 500, `${response.status} ${path} ${JSON.stringify(sent)} ${error?.message}`)
  }), draws(300))
})

test('a picture behind a private address is not fetched', async () => {
  const closed = await testHouse({ settings: { ALLOW_PRIVATE_ADDRESSES: 'false' } })
  let heard = 0
  const server = createServer((_request, response) => { heard++; response.end() })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  try {
    const error = await rejection(new OpenAI({ apiKey: closed.testKey, baseURL: `${closed.url}/v1` }).post('/images/edits', { body: { prompt: 'x', images: [{ image_url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.png` }] } }), BadRequestError)
    assert.deepEqual([error.code, error.param, heard], ['invalid_image_url', 'images[0]', 0])
  } finally {
    server.close()
    await closed.close()
  }
})

test('the books add up', async () => assert.deepEqual(await house.audit(), []))
