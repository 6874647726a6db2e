import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Problem } from '../../domain/problem.ts'
import { readRetryAfter } from '../../kit/fetch.ts'
import type { Reply } from '../toolkit.ts'
import type { Shaped } from '../toolkit/local.ts'
import { findTemplate, readTemplates } from './template.ts'
import { promptIdOf, readFrame, readHistory, readPosted, readQueue, readUpload, writePrompt } from './wire.ts'

const templates = readTemplates([new URL('workflows/', import.meta.url).pathname])
const id = '5f1c0a2e-77d3-8b1a-a042-9c0d7e6f5a4b'

function reply(name: string): Reply {
  const { status, headers = {}, body } = JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8')) as { status: number; headers?: Record<string, string>; body: unknown }
  const all = new Headers(headers)
  return { kind: 'answered', status, headers: all, retryAfterMs: readRetryAfter(all, new Date()), body: typeof body === 'string' ? undefined : body, bytesOf: text => Buffer.from(text, 'base64') }
}

const job = (more: Partial<Shaped> = {}): Shaped => ({
  model: 'sdxl', operation: 'generate', prompt: 'a heron', parameters: { size: '512x768', steps: 20, cfg: 7, sampler: 'euler', scheduler: 'normal', checkpoint: 'sd_xl_base_1.0.safetensors', seed: 7 }, count: 1, key: 'key-1', inputs: [], width: 512, height: 768, ...more })
const picture = (role: Shaped['inputs'][number]['role'] = 'reference'): Shaped['inputs'][number] => ({ role, mime: 'image/png', sizeBytes: 3, width: 1003, height: 500 })
const write = (more: Partial<Shaped> = {}) => { const asked = job(more); return writePrompt(findTemplate(templates, asked)!, asked, asked.inputs.map((_, index) => `plantain/${index}.png`)) }

const posted = (name: string, expected: string, says?: RegExp, pause: number | null = null) => test(`handed in, answered with ${name}`, () => {
  const edit = name === 'custom-validation'
  const template = templates.get(edit ? 'sdxl.edit' : 'sdxl')!
  const outcome = readPosted(reply(name), template, { prompt: template.workflow, seed: 7, warnings: [] })
  assert.equal(outcome.kind === 'failed' ? outcome.problem.code : outcome.kind, expected)
  if (says && outcome.kind === 'failed') assert.match(outcome.problem.message, says)
  if (outcome.kind === 'failed') assert.equal(outcome.retryAfterMs, pause)
})
posted('posted', 'wait')
posted('posted-partly', 'wait')
posted('checkpoint-missing', 'provider_not_configured', /ckpt_name "sd_xl_base_1\.0\.safetensors"; ask for another checkpoint/)
posted('sampler-unknown', 'unsupported_parameter', /sampler "euler"/)
posted('steps-too-many', 'unsupported_parameter', /steps/)
posted('cfg-too-small', 'unsupported_parameter', /cfg/)
posted('width-too-big', 'provider_rejected', /width/)
// The template fills these in itself, so they are its writer's.
posted('wrong-type', 'provider_not_configured', /node 3 \(KSampler\), denoise/)
posted('input-missing', 'provider_not_configured')
posted('bad-link', 'provider_not_configured')
posted('type-mismatch', 'provider_not_configured')
posted('custom-validation', 'provider_not_configured', /LoadImage/)
posted('validation-exception', 'provider_not_configured')
posted('inner-exception', 'provider_not_configured')
posted('node-missing', 'provider_not_configured', /workflow sdxl/)
posted('node-missing-newer', 'provider_not_configured')
posted('no-outputs', 'provider_not_configured')
posted('no-prompt', 'provider_not_configured')
posted('prompt-id', 'internal')
posted('error-string', 'provider_rejected')
posted('no-reason', 'provider_rejected')
posted('guarded', 'provider_not_configured', /COMFYUI_AUTHORIZATION/)
posted('elsewhere', 'provider_not_configured', /COMFYUI_BASE_URL/)
posted('too-large', 'provider_rejected')
posted('busy', 'provider_busy', undefined, 3_000)
for (const name of ['server', 'gateway', 'page']) posted(name, 'outcome_unknown')

test('what ComfyUI left out of a prompt it took is remembered', () => {
  const template = templates.get('sdxl')!
  const outcome = readPosted(reply('posted-partly'), template, { prompt: template.workflow, seed: 7, warnings: ['w'] })
  assert.ok(outcome.kind === 'wait')
  assert.match(JSON.stringify(outcome.receipt), /"id":"5f1c0a2e.*"warnings":\["w"\].*sampler/)
})
test('a silence is a lost answer, unless nobody was there', () => {
  const code = (kind: 'lost' | 'unreached') => { const outcome = readPosted({ kind }, templates.get('sdxl')!, write()); return outcome.kind === 'failed' && outcome.problem.code }
  assert.deepEqual([code('lost'), code('unreached')], ['outcome_unknown', 'provider_down'])
})

const remembered = (name: string, expected: unknown, outputs: string[] | null = null) => test(`the history answers with ${name}`, () => {
  const read = readHistory(reply(name), id, { outputs })
  assert.deepEqual(read.kind === 'made' ? read.files.map(({ filename }) => filename) : read.kind === 'failed' ? read.problem.code : read.kind, expected)
})
remembered('history-empty', 'absent')
remembered('history-made', ['plantain_00001_.png', 'plantain_00002_.png'])
remembered('history-made', ['plantain_00001_.png', 'plantain_00002_.png'], ['9'])
remembered('history-made', ['preview_00001_.png'], ['20'])
remembered('history-preview-only', ['preview_00001_.png'])
remembered('history-film', ['film_00001_.mp4'])
remembered('history-nothing', [])
remembered('history-old-build', ['plantain_00001_.png'])
remembered('history-error', 'provider_failed')
remembered('history-memory', 'provider_failed')
remembered('history-interrupted', 'provider_failed')
remembered('history-error-without-reason', 'provider_failed')
for (const name of ['server', 'gateway', 'page', 'guarded', 'elsewhere']) remembered(name, 'unreadable')

test('why it failed is told without where files lie', () => {
  const message = (name: string) => { const read = readHistory(reply(name), id, { outputs: null }); return read.kind === 'failed' ? read.problem.message : '' }
  assert.match(message('history-error'), /failed in VAEDecode: Error\(s\) in loading state_dict/)
  assert.doesNotMatch(message('history-error'), /maker/)
  assert.match(message('history-memory'), /smaller picture/)
  assert.match(message('history-interrupted'), /not by us/)
})

test('the queue is read', () => assert.deepEqual(['queue-running', 'queue-pending', 'queue-empty', 'gateway'].map(name => readQueue(reply(name), id)), ['running', 'pending', 'absent', null]))

test('an upload gives the name a LoadImage takes', () => {
  assert.deepEqual([readUpload(reply('uploaded')), readUpload(reply('uploaded-flat'))], ['plantain/abc.png', 'abc.png'])
  for (const [name, code] of [['upload-refused', 'provider_rejected'], ['guarded', 'provider_not_configured'], ['elsewhere', 'provider_not_configured'], ['too-large', 'too_large'], ['server', 'provider_down'], ['page', 'provider_down']] as const) {
    assert.throws(() => readUpload(reply(name)), { code }, name)
  }
})

test('an id of ours is a lower-case UUID, the same for the same key', () => {
  assert.match(promptIdOf('task-1'), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(promptIdOf('task-1'), promptIdOf('task-1'))
  assert.notEqual(promptIdOf('task-1'), promptIdOf('task-2'))
})

test('frames of the stream are read', () => {
  const event = (type: string, data: object) => readFrame(JSON.stringify({ type, data: { prompt_id: 'a', ...data } }))
  assert.deepEqual(event('execution_start', {}), { kind: 'running', id: 'a' })
  assert.deepEqual(event('executing', { node: '3' }), { kind: 'running', id: 'a' })
  assert.deepEqual(event('executing', { node: null }), { kind: 'ended', id: 'a' })
  assert.deepEqual(event('progress', { value: 5, max: 20, node: '3' }), { kind: 'progress', id: 'a', percent: 25 })
  assert.deepEqual(event('progress', { value: 20, max: 20 }), { kind: 'progress', id: 'a', percent: 99 })
  for (const type of ['execution_cached', 'execution_success', 'execution_error', 'execution_interrupted', 'executed', 'progress_state', 'never_heard_of']) assert.equal(event(type, {}).kind, 'other')
  assert.equal(readFrame(JSON.stringify({ type: 'status', data: { status: {} } })).kind, 'other')
  assert.equal(readFrame('no JSON').kind, 'other')
  const preview = readFrame(Buffer.concat([Buffer.from([0, 0, 0, 1, 0, 0, 0, 2]), Buffer.from('png bytes')]))
  assert.equal(preview.kind === 'preview' && preview.bytes.toString(), 'png bytes')
  for (const frame of [Buffer.from([0, 0, 0, 3, 0, 0, 0, 1, 65]), Buffer.from([0, 0, 0, 4, 0, 0, 0, 1, 65]), Buffer.from([0, 0])]) assert.equal(readFrame(frame).kind, 'other')
})

test('an order fills in the template and leaves it as it was', () => {
  const before = structuredClone(templates.get('sdxl')!.workflow)
  const { prompt, seed, warnings } = write({ count: 3, parameters: { ...job().parameters, negative_prompt: 'text', steps: 31 } })
  assert.deepEqual([seed, warnings], [7, []])
  assert.deepEqual(prompt['3']!.inputs, { ...before['3']!.inputs, seed: 7, steps: 31 })
  assert.deepEqual(prompt['5']!.inputs, { width: 512, height: 768, batch_size: 3 })
  assert.deepEqual([prompt['6']!.inputs.text, prompt['7']!.inputs.text], ['a heron', 'text'])
  assert.deepEqual(templates.get('sdxl')!.workflow, before)
})
test('an edit and a mask have templates of their own, and keep the size of their picture', () => {
  const rest = { steps: 20, cfg: 7, strength: 0.6 }
  const edit = write({ operation: 'edit', parameters: rest, inputs: [picture()], width: null, height: null })
  assert.deepEqual([edit.prompt['10']!.inputs.image, edit.prompt['3']!.inputs.denoise, edit.prompt['14']!.inputs.width, edit.prompt['14']!.inputs.height], ['plantain/0.png', 0.6, 1000, 496])
  const inpaint = write({ operation: 'edit', parameters: rest, inputs: [picture(), picture('mask')], width: null, height: null })
  assert.deepEqual([inpaint.prompt['15']!.inputs.image, inpaint.prompt['17']!.inputs.width], ['plantain/1.png', 1000])
})
test('a seed nobody names is another for the next attempt', () => {
  const { seed: _, ...parameters } = job().parameters
  assert.notEqual(write({ parameters, key: 'a-1' }).seed, write({ parameters, key: 'a-2' }).seed)
})

const refused = (name: string, more: Partial<Shaped>, code = 'unsupported_parameter') => test(`refuses ${name}`, () =>
  assert.throws(() => write(more), (thrown: Problem) => thrown instanceof Problem && thrown.code === code))
refused('a parameter the template has no place for', { parameters: { lora: 'ink' } })
refused('a picture it does not load', { inputs: [picture()] })
refused('two pictures where one is loaded', { operation: 'edit', parameters: {}, inputs: [picture(), picture()] })
refused('an edit of nothing', { operation: 'edit', parameters: {} }, 'bad_request')
refused('a style', { operation: 'edit', parameters: {}, inputs: [picture(), picture('style')] })
