import assert from 'node:assert/strict'
import { randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { base64Of, jsonResponse } from '../kit/json-out.ts'
import type { OpenAsset } from '../protocols/contract.ts'
import { send } from './send.ts'

let answer: () => Response
const outcomes: Promise<void>[] = []
const server = http.createServer((request, response) => {
  const outcome = send(answer(), request, response, { bodyLeft: false })
  // The test that is about it asks for it later.
  outcome.catch(() => {})
  outcomes.push(outcome)
})
let url = ''
before(async () => { await once(server.listen(0, '127.0.0.1'), 'listening'); url = `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
after(() => { server.closeAllConnections(); server.close() })

type Near = 'file' | 'bytes' | 'base64'

/** A picture that is in memory in one form or the other, or only in its file, and how often it was lent and given back. */
function picture(sizeBytes: number, near: Near) {
  const bytes = randomFillSync(Buffer.alloc(sizeBytes))
  const counts = { lent: 0, released: 0 }
  const open: OpenAsset = {
    asset: { sha256: 'ab', mime: 'image/png', sizeBytes, name: null },
    stream: () => Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)].filter(part => part.length > 0)),
    ...near === 'file' ? {} : { lend: () => {
      counts.lent += 1
      const release = () => { counts.released += 1 }
      return near === 'bytes' ? { bytes, release } : { base64: Buffer.from(bytes.toString('base64')), release }
    } },
  }
  return { bytes, open, counts }
}

test('pictures of any size come out as they are, from memory and from their files', async () => {
  for (const [near, further] of [['bytes', 'file'], ['file', 'base64'], ['base64', 'base64'], ['base64', 'bytes']] as const) for (const sizeBytes of [1, 3_000, 196_608, 700_000, 1_504_001, 5_000_000]) {
    const { bytes, open, counts } = picture(sizeBytes, near)
    const other = picture(40_000, further)
    answer = () => jsonResponse({ before: 'é', data: [{ b64_json: base64Of(open) }, { url: base64Of(other.open, { dataUrl: true }) }], after: [1] })
    const response = await fetch(url)
    assert.deepEqual(await response.json(), { before: 'é', data: [{ b64_json: bytes.toString('base64') }, { url: `data:image/png;base64,${other.bytes.toString('base64')}` }], after: [1] })
    for (const [form, count] of [[near, counts], [further, other.counts]] as const) assert.deepEqual(count, form === 'file' ? { lent: 0, released: 0 } : { lent: 1, released: 1 })
  }
})

/** Takes the first of an answer and goes. */
async function leave(): Promise<void> {
  const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await once(socket, 'data')
  socket.destroy()
  await outcomes.at(-1)
}

test('whoever leaves half-way leaves nothing borrowed, but for what the kernel may still be reading', async () => {
  for (const [near, released] of [['bytes', 1], ['base64', 1]] as const) {
    const { open, counts } = picture(20_000_000, near)
    answer = () => jsonResponse({ data: base64Of(open) })
    await leave()
    assert.deepEqual(counts, { lent: 1, released })
  }
})

test('a picture that is not as long as its row says breaks the answer off', async () => {
  const { open } = picture(100_000, 'bytes')
  open.asset.sizeBytes = 99_999
  answer = () => jsonResponse({ data: base64Of(open) })
  await assert.rejects(fetch(url).then(response => response.text()))
  await assert.rejects(outcomes.at(-1)!, /more than its 99999 bytes/)
})

test('HEAD gets the length and no bytes', async () => {
  const { bytes, open, counts } = picture(100_000, 'bytes')
  answer = () => jsonResponse({ data: base64Of(open) })
  const response = await fetch(url, { method: 'HEAD' })
  assert.equal(response.headers.get('content-length'), String(JSON.stringify({ data: bytes.toString('base64') }).length))
  assert.deepEqual(counts, { lent: 0, released: 0 })
})
