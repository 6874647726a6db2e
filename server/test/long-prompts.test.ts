/** A prompt of 256K tokens, about a megabyte of text, at every door that takes words: taken whole where the card has room, refused clearly where not. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { testHouse, type TestHouse } from './kit/house.ts'

let house: TestHouse
before(async () => { house = await testHouse() })
after(() => house?.close())

/** A megabyte, and an end that shows whether all of it came. */
const long = `a red apple on a table. ${'The style guide goes on and on. '.repeat(32_000)} The end.`
const doors: [name: string, path: string, body: (model: string, prompt: string) => object][] = [
  ['native', '/plantain/v1/tasks?wait=60', (model, prompt) => ({ model, prompt, parameters: { resolution: '512' } })],
  ['gemini', '/v1beta/models/MODEL:generateContent', (_, text) => ({ contents: [{ role: 'user', parts: [{ text }] }], generationConfig: { responseModalities: ['IMAGE'], imageConfig: { imageSize: '512' } } })],
  ['openai', '/v1/chat/completions', (model, content) => ({ model, messages: [{ role: 'user', content }], modalities: ['image', 'text'] })],
  ['openai responses', '/v1/responses', (model, input) => ({ model, input, tools: [{ type: 'image_generation' }] })],
  ['anthropic', '/v1/messages', (model, content) => ({ model, max_tokens: 1_024, messages: [{ role: 'user', content }] })],
]
const call = (path: string, body: object) => fetch(house.url + path, { method: 'POST', headers: { authorization: `Bearer ${house.testKey}`, 'content-type': 'application/json', 'anthropic-version': '2023-06-01' }, body: JSON.stringify(body) })
const lastPrompt = async () => (await house.database.query<{ prompt: string }>('select prompt from task order by id desc limit 1')).rows[0]?.prompt ?? ''

for (const [name, path, body] of doors) {
  test(`${name} takes it whole`, async () => {
    const model = name === 'gemini' ? 'gemini-3.1-flash-image' : 'nano-banana-2'
    const answer = await call(path.replace('MODEL', model), body(model, long))
    assert.equal(answer.status, 200, (await answer.clone().text()).slice(0, 300))
    await answer.arrayBuffer()
    assert.ok((await lastPrompt()).endsWith('The end.') || (await lastPrompt()).includes('The end.'))
  })
  test(`${name} says how much a smaller model takes`, async () => {
    const { rows: [count] } = await house.database.query<{ tasks: number }>('select count(*)::int as tasks from task')
    const answer = await call(path.replace('MODEL', 'gemini-2.5-flash-image'), body('nano-banana', long))
    assert.equal(answer.status, 400)
    assert.match(await answer.text(), /131072 characters/)
    assert.equal((await house.database.query<{ tasks: number }>('select count(*)::int as tasks from task')).rows[0]!.tasks, count!.tasks)
  })
}
