import assert from 'node:assert/strict'
import test from 'node:test'
import type { Asset } from '../../domain/asset.ts'
import { problems, type ProblemCode } from '../../domain/problem.ts'
import type { Task } from '../../domain/task.ts'
import { readBase64, readPlace, writeCallback, writeRecordInfo, writeState } from './wire.ts'
import { creditsOf, sayFailed, sayNo } from './words.ts'

const createdAt = new Date(1_794_560_400_512)
const output: Asset = { id: 'b'.repeat(32), projectId: '1'.repeat(32), livemode: false, kind: 'output', sha256: 'a'.repeat(64), mime: 'image/png', sizeBytes: 1, width: 1, height: 1, name: null, taskId: null, createdAt, expiresAt: null }
const task: Task = {
  id: '0f3c9d2e7a5b41688c1d2e3f4a5b6c7d', accountId: '', projectId: '', keyId: null, livemode: false, state: 'running', turn: 1, attempts: 1, attemptsMax: 3,
  model: 'nano-banana-2', modelAsked: 'nano-banana-2', operation: 'generate', prompt: 'a red kite over a grey sea', parameters: { resolution: '2K' }, inputs: [], priority: 'interactive',
  provider: 'sandbox', upstreamModel: 'sandbox-1', upstreamId: null, progress: null, priceMicros: 60_000, chargedMicros: null, outputs: [], text: null, details: {}, warnings: [], problem: null, tried: [],
  metadata: {}, callbackUrl: 'https://app.example/hooks/kie', wire: { protocol: 'kie', body: { model: 'nano-banana-2', callBackUrl: 'https://app.example/hooks/kie', input: { prompt: 'a red kite over a grey sea', resolution: '2K', nsfw_checker: false } } },
  createdAt, startedAt: createdAt, endedAt: null, dueAt: createdAt, startBy: null, endBy: createdAt,
}
const done: Task = { ...task, state: 'done', outputs: [output], chargedMicros: 60_000, endedAt: new Date(1_794_560_441_907) }
const failed: Task = { ...task, state: 'failed', chargedMicros: 0, endedAt: new Date(1_794_560_412_600), problem: { code: 'provider_failed', message: 'The upstream could not finish.' } }
const links = (asset: Asset) => `https://house.example/files/${asset.id}.png`

const baseKeys = ['taskId', 'model', 'state', 'param', 'resultJson', 'failCode', 'failMsg', 'costTime', 'completeTime', 'createTime', 'creditsConsumed']
const keysOf = (record: object) => Object.keys(record).slice(0, baseKeys.length)

test('a pending record has every base field, in order', () => {
  const record = writeRecordInfo(task, links)
  assert.deepEqual(keysOf(record), baseKeys)
  assert.deepEqual([record.state, record.resultJson, record.failCode, record.failMsg, record.costTime, record.completeTime, record.createTime, record.creditsConsumed, record.successFlag],
    ['generating', '', null, null, null, null, 1_794_560_400_512, 12, 0])
  assert.ok(!('response' in record) && !('progress' in record))
})
test('a finished one has its results as text', () => {
  const record = writeRecordInfo(done, links)
  assert.deepEqual(keysOf(record), baseKeys)
  assert.deepEqual([record.state, record.resultJson, record.costTime, record.completeTime, record.creditsConsumed, record.successFlag],
    ['success', `{"resultUrls":["https://house.example/files/${output.id}.png"]}`, 41, 1_794_560_441_907, 12, 1])
  assert.equal(record.paramJson, record.param)
})
test('a failed one costs nothing', () => {
  const record = writeRecordInfo(failed, links)
  assert.deepEqual(keysOf(record), baseKeys)
  assert.deepEqual([record.state, record.resultJson, record.failCode, record.failMsg, record.creditsConsumed], ['fail', '', '501', 'The upstream could not finish.', 0])
})
test('only films tell how far they are', () => {
  assert.equal(writeRecordInfo({ ...task, operation: 'video', progress: 40 }, links).progress, 40)
  assert.ok(!('progress' in writeRecordInfo({ ...task, progress: 40 }, links)))
})
test('a cancelled one fails', () => { assert.equal(writeRecordInfo({ ...failed, state: 'cancelled', problem: null }, links).failCode, '501') })
test('the upstream\'s own code goes first', () => { assert.equal(sayFailed({ code: 'provider_failed', message: 'x', details: { upstreamCode: '500' } }).failCode, '500') })

test('param is JSON in JSON in JSON', () => {
  const { param } = writeRecordInfo(task, links)
  assert.equal(param, '{"input":"{\\"prompt\\":\\"a red kite over a grey sea\\",\\"resolution\\":\\"2K\\",\\"nsfw_checker\\":false}","callBackUrl":"https://app.example/hooks/kie","model":"nano-banana-2"}')
})
test('a task of another door has a param too', () => {
  const param = JSON.parse(writeRecordInfo({ ...task, wire: { protocol: 'openai', body: { anything: 1 } }, callbackUrl: null, inputs: [{ assetId: 'c'.repeat(32), role: 'reference' }] }, links).param)
  assert.deepEqual(Object.keys(param), ['input', 'model'])
  assert.deepEqual(JSON.parse(param.input), { prompt: 'a red kite over a grey sea', resolution: '2K', image_input: ['c'.repeat(32)] })
})

test('states never step back', () => {
  const states = ([['queued', 0], ['running', 1], ['queued', 1], ['waiting', 1], ['done', 1], ['failed', 1], ['cancelled', 0]] as [Task['state'], number][]).map(([state, attempts]) => writeState({ state, attempts }))
  assert.deepEqual(states, ['waiting', 'generating', 'generating', 'generating', 'success', 'fail', 'fail'])
})

test('a call back has the id in all three places', () => {
  for (const [ended, code, msg] of [[done, 200, 'Playground task completed successfully.'], [failed, 501, 'Playground task failed.']] as const) {
    const body = JSON.parse(writeCallback(ended, links))
    assert.deepEqual([body.code, body.msg, body.taskId, body.data.taskId, body.data.task_id], [code, msg, task.id, task.id, task.id])
    assert.equal(body.data.updateTime, body.data.completeTime)
    assert.equal(typeof body.data.param, 'string')
  }
  assert.equal(JSON.parse(writeCallback(failed, links)).data.resultJson, null)
  assert.equal(writeCallback(done, links), writeCallback(done, links))
})

test('every problem has a code of Kie\'s and a sentence', () => {
  const known = [400, 401, 402, 404, 405, 408, 409, 422, 429, 451, 455, 500, 501]
  for (const code of Object.keys(problems) as ProblemCode[]) {
    const said = sayNo({ code, message: 'Sentence.' })
    assert.ok(known.includes(said.code) && said.msg.length > 5, code)
    assert.match(sayFailed({ code, message: 'Sentence.' }).failCode, /^\d{3}$/)
  }
})
test('credits are numbers, fractions too', () => { assert.deepEqual([creditsOf(29_581_250), creditsOf(2_500), creditsOf(0)], [5916.25, 0.5, 0]) })
test('a bad call back address is no missing picture', () => { assert.equal(sayNo({ code: 'private_address', message: 'x', details: { field: 'callback_url' } }).code, 400) })

const badPlace = (uploadPath: unknown, fileName?: unknown) => assert.throws(() => readPlace({ uploadPath, fileName }), { name: 'Problem' })
test('an upload path is a label and nothing that climbs', () => {
  assert.deepEqual(readPlace({ uploadPath: '/images/refs/', fileName: 'ref-1.png' }), { uploadPath: 'images/refs', fileName: 'ref-1.png' })
  for (const path of ['', '/', '..', 'a/../b', 'a//b', 'a\\b', 'a\0b', 5, null, {}, 'x'.repeat(201)]) badPlace(path)
  for (const name of ['a/b', '..', 'a\nb', 5, 'x'.repeat(151)]) badPlace('images', name)
})
test('base64 comes bare or as a data URL', () => {
  assert.deepEqual(readBase64('aGk='), { base64: 'aGk=' })
  assert.deepEqual(readBase64('data:image/png;base64,aGk='), { dataUrl: 'data:image/png;base64,aGk=' })
  for (const value of ['', 'data:image/png;base64,', 'nö', 'aGk=aGk=', 5, null]) assert.throws(() => readBase64(value), /base64/i)
})
