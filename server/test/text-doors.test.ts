/** Models that write, by the official clients of every door whose dialect carries words; and the doors that only know pictures, which say no. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI, { BadRequestError } from 'openai'
import { testHouse, type TestHouse } from './kit/house.ts'
import { send } from './kit/live.ts'
import { paint } from './upstreams/loopback.ts'

let house: TestHouse
let openai: OpenAI
let google: GoogleGenAI
let anthropic: Anthropic
before(async () => {
  house = await testHouse()
  openai = new OpenAI({ apiKey: house.testKey, baseURL: `${house.url}/v1`, maxRetries: 0 })
  google = new GoogleGenAI({ apiKey: house.testKey, httpOptions: { baseUrl: house.url } })
  anthropic = new Anthropic({ apiKey: house.testKey, baseURL: house.url, maxRetries: 0 })
})
after(() => house?.close())

const german = 'Translate the text the user sends into German (de). Answer with the translation and nothing else.'
const taskOf = async (id: string) => (await (await fetch(`${house.url}/plantain/v1/tasks/${id}`, { headers: { authorization: `Bearer ${house.testKey}` } })).json()) as any
const latest = async () => (await (await fetch(`${house.url}/plantain/v1/tasks?limit=1`, { headers: { authorization: `Bearer ${house.testKey}` } })).json() as any).data[0]
const counts = async () => (await house.database.query<{ tasks: number; rows: number; assets: number }>('select (select count(*) from task)::int as tasks, (select count(*) from ledger)::int as rows, (select count(*) from asset)::int as assets')).rows[0]!
const picture = async () => (await paint(90, 40)).toString('base64')
async function post(path: string, body: object, headers: Record<string, string> = {}): Promise<{ status: number; body: any }> {
  const answer = await fetch(house.url + path, { method: 'POST', headers: { authorization: `Bearer ${house.testKey}`, 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
  return { status: answer.status, body: await answer.json() }
}

describe('chat.completions', () => {
  test('answers in words, with usage and the task’s money', async () => {
    const { data, response } = await openai.chat.completions.create({ model: 'gpt-5.6-luna', max_completion_tokens: 200, temperature: 0.3, messages: [{ role: 'system', content: german }, { role: 'user', content: 'Free shipping' }] }).withResponse()
    const [choice] = data.choices
    assert.deepEqual([choice!.message.content, choice!.finish_reason, 'images' in choice!.message], ['Kostenloser Versand', 'stop', false])
    const tokens = { input: 4 + Math.ceil(german.length / 4), output: 5 }
    assert.deepEqual(data.usage, { prompt_tokens: tokens.input, completion_tokens: tokens.output, total_tokens: tokens.input + tokens.output })
    const task = await taskOf(response.headers.get('x-task-id')!)
    assert.deepEqual([task.operation, task.outputs, task.parameters.system, task.parameters.max_tokens, task.cost.micros], ['write', [], german, 200, Math.ceil(tokens.input * 0.2 + tokens.output * 1.2)])
  })

  test('hands on what was said before, by whom', async () => {
    const { response } = await openai.chat.completions.create({ model: 'gpt-5.4-mini', messages: [{ role: 'user', content: 'A name for a bakery?' }, { role: 'assistant', content: 'Crumb.' }, { role: 'user', content: 'Another one.' }] }).withResponse()
    assert.equal((await taskOf(response.headers.get('x-task-id')!)).prompt, 'User: A name for a bakery?\n\nAssistant: Crumb.\n\nUser: Another one.')
  })

  test('looks at pictures', async () => {
    const completion = await openai.chat.completions.create({ model: 'gpt-5.6-luna', messages: [{ role: 'user', content: [{ type: 'text', text: 'Describe this in one sentence.' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${await picture()}` } }] }] })
    assert.match(completion.choices[0]!.message.content!, /^A landscape picture/)
  })

  test('streams, and says why it ended', async () => {
    const stream = openai.chat.completions.stream({ model: 'gpt-5.6-luna', max_completion_tokens: 2, stream_options: { include_usage: true }, messages: [{ role: 'user', content: 'Say abcdefghijkl' }] })
    const completion = await stream.finalChatCompletion().catch((thrown: unknown) => thrown as { completion?: unknown })
    // Their helper takes an answer that was cut off for a failure; the chunks say it all the same.
    if ('choices' in (completion as object)) assert.deepEqual([(completion as OpenAI.ChatCompletion).choices[0]!.message.content, (completion as OpenAI.ChatCompletion).choices[0]!.finish_reason], ['abcdefgh', 'length'])
    const chunks = []
    for await (const chunk of await openai.chat.completions.create({ model: 'gpt-5.6-luna', max_tokens: 2, stream: true, stream_options: { include_usage: true }, messages: [{ role: 'user', content: 'Say mnopqrstuvwx' }] })) chunks.push(chunk)
    assert.equal(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join(''), 'mnopqrst')
    assert.deepEqual([chunks.find(({ choices }) => choices[0]?.finish_reason)?.choices[0]!.finish_reason, chunks.at(-1)!.usage?.completion_tokens], ['length', 2])
  })

  test('maps effort and what is too long, and says what has no effect', async () => {
    const { response } = await openai.chat.completions.create({ model: 'gemini-3.8-flash', reasoning_effort: 'none', max_tokens: 100_000, top_p: 0.5, messages: [{ role: 'user', content: 'Say hello' }] }).withResponse()
    const { parameters, warnings } = await taskOf(response.headers.get('x-task-id')!)
    assert.deepEqual([parameters.effort, parameters.max_tokens], ['low', 32_768])
    for (const said of [/served by|at most 32768 tokens/, /effort none was read as low/, /Without effect here: top_p/]) assert.ok(warnings.some((one: string) => said.test(one)), `${said} in ${JSON.stringify(warnings)}`)
  })

  test('fails in the dialect’s words, and refuses what it cannot do, at no cost', async () => {
    await assert.rejects(openai.chat.completions.create({ model: 'gpt-5.6-luna', messages: [{ role: 'user', content: 'hello sandbox:moderation' }] }), (thrown: unknown) => thrown instanceof BadRequestError && thrown.code === 'moderation_blocked')
    assert.equal((await latest()).cost.micros, 0)
    const before = await counts()
    const refused = async (more: object, param: string) => {
      const { status, body } = await post('/v1/chat/completions', { model: 'gpt-5.6-luna', messages: [{ role: 'user', content: 'hello' }], ...more })
      assert.deepEqual([status, body.error?.param], [400, param], JSON.stringify(body))
    }
    await refused({ tools: [{ type: 'function', function: { name: 'x' } }] }, 'tools')
    await refused({ response_format: { type: 'json_object' } }, 'response_format')
    await refused({ modalities: ['text', 'audio'] }, 'modalities')
    await refused({ modalities: ['image'] }, 'modalities')
    await refused({ temperature: 3 }, 'temperature')
    await refused({ max_tokens: 0 }, 'max_tokens')
    await refused({ n: 2 }, 'n')
    await refused({ messages: [{ role: 'system', content: 'hello' }] }, 'messages')
    assert.deepEqual(await counts(), before)
  })
})

describe('responses', () => {
  test('is a text, with its own usage', async () => {
    const response = await openai.responses.create({ model: 'gpt-5.6-luna', instructions: german, input: 'Sold out', max_output_tokens: 100, reasoning: { effort: 'low' } })
    assert.deepEqual([response.output_text, response.status, response.output.length, response.tools, response.usage?.output_tokens], ['Ausverkauft', 'completed', 1, [], 3])
    assert.deepEqual((await openai.responses.retrieve(response.id)).output_text, 'Ausverkauft')
    await assert.rejects(openai.responses.delete(response.id), /cannot be deleted/)
  })

  test('streams it', async () => {
    const events = []
    for await (const event of await openai.responses.create({ model: 'gpt-5.6-luna', input: 'Say hello', stream: true })) events.push(event)
    assert.deepEqual(events.map(({ type }) => type), ['response.created', 'response.in_progress', 'response.output_item.added', 'response.content_part.added', 'response.output_text.delta', 'response.output_text.done', 'response.content_part.done', 'response.output_item.done', 'response.completed'])
    const final = await openai.responses.stream({ model: 'gpt-5.6-luna', input: 'Say hello' }).finalResponse()
    assert.equal(final.output_text, 'hello')
  })

  test('that was cut off is incomplete', async () => {
    const response = await openai.responses.create({ model: 'gpt-5.6-luna', input: [{ role: 'user', content: [{ type: 'input_text', text: 'Say abcdefghijkl' }] }], max_output_tokens: 2 })
    assert.deepEqual([response.status, response.incomplete_details?.reason, response.output_text], ['incomplete', 'max_output_tokens', 'abcdefgh'])
  })

  test('refuses what it cannot do, at no cost', async () => {
    const before = await counts()
    const refused = async (more: object, param: string) => {
      const { status, body } = await post('/v1/responses', { model: 'gpt-5.6-luna', input: 'hello', ...more })
      assert.deepEqual([status, body.error?.param], [400, param], JSON.stringify(body))
    }
    await refused({ text: { format: { type: 'json_schema' } } }, 'text.format')
    await refused({ tool_choice: 'required' }, 'tool_choice')
    await refused({ previous_response_id: 'resp_x' }, 'previous_response_id')
    await refused({ input: [] }, 'input')
    assert.deepEqual(await counts(), before)
  })
})

describe('generateContent', () => {
  test('answers in words, with usage', async () => {
    const answer = await google.models.generateContent({ model: 'gemini-3.5-flash-lite', contents: 'Free shipping', config: { systemInstruction: german, maxOutputTokens: 100, temperature: 0.2 } })
    const [candidate] = answer.candidates!
    assert.deepEqual([answer.text, candidate!.finishReason, answer.modelVersion], ['Kostenloser Versand', 'STOP', 'gemini-3.5-flash-lite'])
    const { promptTokenCount: prompt, candidatesTokenCount: output, totalTokenCount: total } = answer.usageMetadata!
    assert.ok(prompt! > 0 && output === 5 && total === prompt! + output)
    const task = await taskOf(answer.responseId!)
    assert.deepEqual([task.operation, task.outputs.length, task.parameters.max_tokens, task.parameters.temperature], ['write', 0, 100, 0.2])
  })

  test('looks at pictures, and streams', async () => {
    const chunks = []
    for await (const chunk of await google.models.generateContentStream({ model: 'gemini-3.5-flash-lite', contents: [{ role: 'user', parts: [{ inlineData: { mimeType: 'image/png', data: await picture() } }, { text: 'Describe this in one sentence.' }] }] })) chunks.push(chunk)
    assert.match(chunks.map(({ text }) => text ?? '').join(''), /^A landscape picture/)
    assert.equal(chunks.at(-1)!.candidates![0]!.finishReason, 'STOP')
  })

  test('in a chat keeps the turns', async () => {
    const chat = google.chats.create({ model: 'gemini-3.8-flash' })
    await chat.sendMessage({ message: 'Say hello' })
    await chat.sendMessage({ message: 'And again.' })
    assert.equal((await latest()).prompt, 'User: Say hello\n\nModel: hello\n\nUser: And again.')
  })

  test('that was cut off says so; one that was refused is an answer', async () => {
    const cut = await google.models.generateContent({ model: 'gemini-3.5-flash-lite', contents: 'Say abcdefghijkl', config: { maxOutputTokens: 2 } })
    assert.deepEqual([cut.text, cut.candidates![0]!.finishReason], ['abcdefgh', 'MAX_TOKENS'])
    const refused = await google.models.generateContent({ model: 'gemini-3.5-flash-lite', contents: 'hello sandbox:moderation' })
    assert.equal(refused.promptFeedback?.blockReason, 'SAFETY')
  })

  test('lists its models', async () => {
    const model = await google.models.get({ model: 'gemini-3.5-flash-lite' })
    assert.deepEqual(model.supportedActions, ['generateContent', 'batchGenerateContent', 'countTokens'])
  })

  test('writes in batches as it says', async () => {
    let batch = await google.batches.create({ model: 'gemini-3.5-flash-lite', src: [{ contents: [{ role: 'user', parts: [{ text: 'A line about rain' }] }] }] })
    while (!/SUCCEEDED|FAILED|CANCELLED|EXPIRED/.test(batch.state!)) {
      await new Promise(resolve => { setTimeout(resolve, 100) })
      batch = await google.batches.get({ name: batch.name! })
    }
    assert.equal(batch.state, 'JOB_STATE_SUCCEEDED')
    assert.ok(batch.dest!.inlinedResponses![0]!.response!.candidates![0]!.content!.parts![0]!.text)
  })

  test('refuses what it cannot do, at no cost', async () => {
    const before = await counts()
    const refused = async (more: object, said: RegExp, path = 'generateContent') => {
      const { status, body } = await post(`/v1beta/models/gemini-3.5-flash-lite:${path}`, { contents: [{ parts: [{ text: 'hello' }] }], ...more })
      assert.ok(status >= 400 && status < 500, JSON.stringify(body))
      assert.match(body.error.message, said)
    }
    await refused({ generationConfig: { responseModalities: ['TEXT', 'IMAGE'] } }, /Use TEXT/)
    await refused({ generationConfig: { responseMimeType: 'application/json' } }, /text\/plain/)
    await refused({ generationConfig: { imageConfig: { aspectRatio: '1:1' } } }, /imageConfig/)
    await refused({ generationConfig: { candidateCount: 2 } }, /one answer/)
    await refused({ generationConfig: { maxOutputTokens: 0 } }, /at least 1/)
    await refused({ tools: [{ googleSearch: {} }] }, /calls no tools/)
    await refused({ contents: undefined, instances: [{ prompt: 'x' }] }, /not supported for predict/, 'predict')
    const interaction = await post('/v1beta/interactions', { model: 'gemini-3.5-flash-lite', input: 'hello' })
    assert.ok(interaction.status >= 400 && interaction.status < 500)
    assert.deepEqual(await counts(), before)
  })
})

describe('messages', () => {
  test('answers in words, with usage', async () => {
    const message = await anthropic.messages.create({ model: 'claude-haiku-5-5', max_tokens: 200, system: german, messages: [{ role: 'user', content: 'Free shipping' }] })
    assert.deepEqual([message.content, message.stop_reason, message.usage.output_tokens], [[{ type: 'text', text: 'Kostenloser Versand', citations: null }], 'end_turn', 5])
    assert.ok(message.usage.input_tokens > 0)
    const task = await latest()
    assert.deepEqual([task.model, task.operation, task.parameters.system, task.parameters.max_tokens], ['claude-haiku-5.5', 'write', german, 200])
  })

  test('streams, and hands on what was said before, and pictures', async () => {
    const message = await anthropic.messages.stream({ model: 'claude-haiku-5-5', max_tokens: 500, messages: [
      { role: 'user', content: 'Hello' }, { role: 'assistant', content: 'Hello.' },
      { role: 'user', content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: await picture() } }, { type: 'text', text: 'Describe this in one sentence.' }] },
    ] }).finalMessage()
    const [block] = message.content
    assert.ok(block?.type === 'text')
    assert.match(block.text, /^A landscape picture/)
    assert.equal((await latest()).prompt, 'User: Hello\n\nAssistant: Hello.\n\nUser: Describe this in one sentence.')
  })

  test('that was cut off or refused says so', async () => {
    const cut = await anthropic.messages.create({ model: 'claude-haiku-5-5', max_tokens: 2, messages: [{ role: 'user', content: 'Say abcdefghijkl' }] })
    assert.deepEqual([cut.stop_reason, cut.content[0]?.type === 'text' && cut.content[0].text], ['max_tokens', 'abcdefgh'])
    const refused = await anthropic.messages.create({ model: 'claude-haiku-5-5', max_tokens: 20, messages: [{ role: 'user', content: 'hello sandbox:moderation' }] })
    assert.equal(refused.stop_reason, 'refusal')
  })

  test('names what has no effect, reads a length beyond the model’s as the model’s, and refuses options of pictures', async () => {
    await anthropic.messages.create({ model: 'claude-haiku-5-5', max_tokens: 60_000, stop_sequences: ['x'], messages: [{ role: 'user', content: 'Say hello' }], stream: false }, { timeout: 60_000 })
    const { warnings, parameters } = await latest()
    assert.equal(parameters.max_tokens, 32_768)
    for (const said of [/stop_sequences has no effect/, /at most 32768 tokens/]) assert.ok(warnings.some((one: string) => said.test(one)), `${said} in ${JSON.stringify(warnings)}`)
    const before = await counts()
    for (const more of [{ image: { aspect_ratio: '1:1' } }, { tools: [{ name: 'x' }], tool_choice: { type: 'any' } }, { output_config: { format: { type: 'json_schema' } } }]) {
      const { status, body } = await post('/v1/messages', { model: 'claude-haiku-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hello' }], ...more }, { 'anthropic-version': '2023-06-01' })
      assert.deepEqual([status, body.type], [400, 'error'], JSON.stringify(body))
    }
    assert.deepEqual(await counts(), before)
  })
})

describe('one house behind another', () => {
  let outer: TestHouse
  before(async () => {
    outer = await testHouse({ settings: {
      GEMINI_API_KEY: house.testKey, GEMINI_BASE_URL: house.url, OPENAI_API_KEY: house.testKey, OPENAI_BASE_URL: `${house.url}/v1`, ANTHROPIC_API_KEY: house.testKey, ANTHROPIC_BASE_URL: house.url,
    } })
  })
  after(() => outer?.close())

  for (const [model, provider] of [['gemini-3.5-flash-lite', 'gemini'], ['gpt-5.6-luna', 'openai'], ['claude-haiku-5.5', 'anthropic']] as const) {
    test(`what ${provider} is asked, our own door of that dialect answers`, async () => {
      const { body } = await send(outer, { model, prompt: 'Free shipping', parameters: { system: german, max_tokens: 50 }, inputs: [] })
      assert.deepEqual([body.state, body.served_by, body.text, body.details.finish, body.details.tokens.output], ['done', provider, 'Kostenloser Versand', 'stop', 5], JSON.stringify(body.problem))
      assert.ok(body.cost.micros > 0 && body.cost.micros < body.price.micros)
      const cut = await send(outer, { model, prompt: 'Say abcdefghijkl', parameters: { max_tokens: 2 } })
      assert.deepEqual([cut.body.text, cut.body.details.finish], ['abcdefgh', 'length'])
      const refused = await send(outer, { model, prompt: 'hello sandbox:moderation' })
      assert.deepEqual([refused.body.problem?.code, refused.body.cost.micros], ['content_rejected', 0])
      assert.deepEqual(await outer.audit(), [])
    })
  }
})

describe('doors that know pictures only', () => {
  test('refuse a model that writes in their own words, and nothing happens', async () => {
    const before = await counts()
    const no = async (path: string, body: object, status: number, said: RegExp, headers: Record<string, string> = {}) => {
      const answer = await post(path, body, headers)
      assert.equal(answer.status, status, `${path}: ${JSON.stringify(answer.body)}`)
      assert.match(JSON.stringify(answer.body), said)
    }
    await no('/v1/images/generations', { model: 'gpt-5.6-luna', prompt: 'a fox' }, 400, /writes text. Use \/v1\/chat\/completions/)
    await no('/v1/videos', { model: 'gpt-5.6-luna', prompt: 'a fox' }, 400, /writes text/)
    await no('/v1/video', { model: 'gpt-5.6-luna', prompt: 'a fox' }, 400, /makes no videos/)
    await no('/api/v1/jobs/createTask', { model: 'gemini-3.5-flash-lite', input: { prompt: 'a fox' } }, 200, /"code":(4|5)\d\d/)
    await no('/v1beta/models/gemini-3.5-flash-lite:predictLongRunning', { instances: [{ prompt: 'a fox' }] }, 404, /not supported for predictLongRunning/)
    await no('/v1/responses', { model: 'x', input: 'a fox', tools: [{ type: 'image_generation', model: 'gpt-5.6-luna' }] }, 400, /writes text/)
    assert.deepEqual(await counts(), before)
  })

  test('and a model that draws still draws at the doors that know both', async () => {
    const completion = await openai.chat.completions.create({ model: 'nano-banana-2', image_config: { image_size: '512' }, messages: [{ role: 'user', content: 'a fox' }] } as never) as OpenAI.ChatCompletion
    assert.equal((completion.choices[0]!.message as unknown as { images: unknown[] }).images.length, 1)
    const pictured = await openai.responses.create({ model: 'gpt-5.6-luna', input: 'a fox', tools: [{ type: 'image_generation', model: 'gpt-image-2', size: '1024x1024', quality: 'low' }] })
    assert.equal(pictured.output[0]!.type, 'image_generation_call')
  })
})
