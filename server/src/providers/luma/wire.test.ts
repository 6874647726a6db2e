import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '../../domain/problem.ts'
import { readLook, writeBody } from './wire.ts'

const look = (body: object, expected: string) => test(`${JSON.stringify(body)} is ${expected}`, () => {
  const looked = readLook({ id: 'a', ...body })
  assert.equal(looked?.kind === 'failed' ? looked.problem.code : looked?.kind, expected)
})
look({ state: 'queued' }, 'pending')
look({ state: 'dreaming' }, 'pending')
look({ state: 'something new' }, 'pending')
look({ state: 'completed', assets: { image: 'https://cdn.luma.example/a.png' } }, 'made')
look({ state: 'completed', assets: null }, 'bad_output')
look({ state: 'failed', failure_reason: 'advanced moderation failed' }, 'content_rejected')
look({ state: 'failed', failure_reason: null }, 'provider_failed')

const job = (operation: 'generate' | 'edit', ...roles: ('reference' | 'style' | 'character' | 'mask')[]) => ({
  model: 'photon-1', operation, prompt: 'x', parameters: {}, count: 1, key: 'k', width: null, height: null, inputs: roles.map(role => ({ role, mime: 'image/png', sizeBytes: 1, width: 1, height: 1 })) })
const links = (count: number) => Array.from({ length: count }, (_, index) => `https://pictures.example/${index}`)
test('one picture is changed, several are references', () => {
  assert.deepEqual(writeBody(job('edit', 'reference'), links(1)).body.modify_image_ref, { url: 'https://pictures.example/0', weight: 1 })
  assert.equal((writeBody(job('edit', 'reference', 'reference'), links(2)).body.image_ref as object[]).length, 2)
})
test('a mask, a fifth picture of a kind and a picture without a link are refused', () => {
  for (const [asked, given] of [[job('edit', 'mask'), links(1)], [job('edit', 'style', 'style', 'style', 'style', 'style'), links(5)], [job('edit', 'reference'), [null]]] as const) {
    assert.throws(() => writeBody(asked, [...given]), (thrown: unknown) => thrown instanceof Problem && thrown.code === 'unsupported_parameter')
  }
})
