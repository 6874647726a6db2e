import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Desk, Incoming } from '../contract.ts'
import mcp from './index.ts'

const [post] = mcp.routes
const bug = new TypeError('undefined is not a picture')
const stumble = () => Promise.reject(bug)
const desk = { caller: { keyId: 'k', scopes: ['admin'] }, submit: stumble, models: { find: () => null }, money: { balance: stumble } } as unknown as Desk

const ask = (name: string, args: object) => post!.handle({
  method: 'POST', path: '/mcp', params: {}, query: new URLSearchParams(), requestId: 'r', stream: null, signal: new AbortController().signal, inline: () => null,
  headers: { accept: 'application/json, text/event-stream', 'content-type': 'application/json' },
  body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } },
} satisfies Incoming, desk)

test('a bug behind a stream is told to the call first, and then breaks the stream off so that it is logged', async () => {
  const { body } = await ask('generate_image', { prompt: 'a dog' })
  const reader = body!.getReader()
  const read = async () => new TextDecoder().decode((await reader.read()).value)
  assert.equal(await read(), ': hello\n\n')
  assert.match(await read(), /^event: message\ndata: .*internal: Something went wrong on our side.*"isError":true/)
  await assert.rejects(reader.read(), bug)
})

test('a bug without a stream is thrown where it is logged', () => assert.rejects(ask('get_balance', {}), bug))

test('the key is read from either header', () => {
  const read = (headers: Incoming['headers']) => mcp.readSecret({ headers, query: new URLSearchParams() })
  assert.deepEqual([read({ authorization: 'Bearer a' }), read({ 'x-api-key': 'b' }), read({ authorization: 'Basic c' }), read({})], ['a', 'b', null, null])
})
