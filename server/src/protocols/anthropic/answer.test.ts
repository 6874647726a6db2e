import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Task } from '../../domain/task.ts'
import type { Desk } from '../contract.ts'
import { follow } from './answer.ts'
import { writeRefusal, writeRest } from './message.ts'

const id = '0123456789abcdef0123456789abcdef'
const task = { id, state: 'running', modelAsked: 'm', prompt: 'x', parameters: {}, inputs: [], outputs: [], details: {}, warnings: [], livemode: false, chargedMicros: 0, text: null, problem: null } as unknown as Task

/** A desk whose task ends with the third look, or never. */
function desk({ ends = true, look = () => {} } = {}) {
  const heard: string[] = []
  let looks = 0
  const failed = { ...task, state: 'failed', problem: { code: 'provider_failed', message: 'It broke.' } } as Task
  const settled = async () => { look(); return ends && ++looks === 3 ? failed : task }
  return { heard, desk: { settled, unanswered: async (taskId: string) => { heard.push(taskId) } } as unknown as Desk }
}

test('a stream says that it began, pings until there is something to say, and ends with what went wrong', async () => {
  const events: string[] = []
  for await (const event of follow(task, desk().desk, { output: 'block', signal: new AbortController().signal, requestId: 'r' })) {
    assert.equal(event.event, event.data.type)
    events.push(event.event)
    if (event.event === 'error') assert.deepEqual(event.data, { type: 'error', error: { type: 'api_error', message: 'It broke.', details: { error_code: 'provider_failed' } }, request_id: 'r' })
  }
  assert.deepEqual(events, ['message_start', 'ping', 'ping', 'ping', 'error'])
})

test('who goes away before the end leaves an unanswered task', async () => {
  const gone = new AbortController()
  const { desk: waiting, heard } = desk({ ends: false, look: () => gone.abort() })
  const events = await Array.fromAsync(follow(task, waiting, { output: 'block', signal: gone.signal, requestId: 'r' }))
  assert.deepEqual([events.length, heard], [2, [id]])
})

test('a refusal is a message', () => {
  const events = [...writeRest(writeRefusal({ id: 'msg_1', model: 'm', explanation: 'No.', task }))]
  assert.deepEqual(events.map(({ event }) => event), ['content_block_start', 'content_block_delta', 'content_block_stop', 'message_delta', 'message_stop'])
  assert.deepEqual(events[3]!.data.delta, { stop_reason: 'refusal', stop_sequence: null, stop_details: { type: 'refusal', category: null, explanation: 'No.' }, container: null })
})
