import { hash } from 'node:crypto'
import { Type } from 'typebox'
import { isMedia } from '../domain/graph/values.ts'
import type { Media } from '../domain/graph/graph.ts'
import type { Json } from '../domain/outcome.ts'
import { Problem } from '../domain/problem.ts'
import { node, port, type Bench, type Publication } from './contract.ts'
import { fillWords } from './toolkit/words.ts'

/** Things published by one run. */
const thingsMax = 200
const endings: Record<string, string> = { 'image/jpeg': 'jpg', 'video/quicktime': 'mov', 'audio/mpeg': 'mp3', 'audio/mp4': 'm4a', 'text/plain': 'txt' }

/**
 * What was made, put where others find it: a folder or a bucket of the operator's, or an address that takes it.
 *
 * Publishing the same again writes the same bytes to the same place, so a run that is begun again after a crash does no harm.
 */
export default node({
  id: 'publish', title: 'Publish', category: 'output', reusable: false,
  description: 'Puts pictures, films, texts or JSON into the operator’s folder or bucket, or sends them to an address, signed like a webhook. The path is a text with {{names}}: {{name}}, {{index}} (from 1), {{sha256}}, {{extension}}, and those of `data`.',
  inputs: Type.Object({
    value: port.any({ description: 'What is published: one thing, or a list.' }),
    to: Type.Enum(['folder', 's3', 'http'], { default: 'folder', description: 'Where: a folder or a bucket of this server, which its operator opened, or an address.' }),
    path: Type.String({ minLength: 1, maxLength: 1_000, default: '{{name}}/{{index}}-{{sha256}}.{{extension}}', description: 'Under which path. Anything already there is written over.' }),
    name: port.text({ minLength: 1, maxLength: 200, default: 'published', description: 'What {{name}} stands for.' }),
    data: Type.Optional(port.json({ description: 'More names for the path; a list has some for each thing.' })),
    url: Type.Optional(Type.String({ minLength: 1, maxLength: 2_048, description: 'Where it is sent, with the same {{names}}, for `http`.' })),
    method: Type.Enum(['POST', 'PUT'], { default: 'POST', description: 'How it is sent.' }),
    body: Type.Enum(['bytes', 'multipart'], { default: 'bytes', description: 'The bytes themselves, or a form with a `file`, as browsers send it.' }),
  }),
  outputs: Type.Object({ address: port.text({ description: 'Where the first is to be found.' }), addresses: port.texts({ description: 'Where each is.' }), count: port.integer() }),
  sound({ to, url }) {
    if (to === 'http' && url === undefined) throw new Problem('bad_request', 'Say where to send it: url.', { field: 'url' })
  },
  async run({ value, to, path, name, data, url, method, body }, bench) {
    const values = Array.isArray(value) ? value : [value]
    if (values.length === 0 || values.length > thingsMax) throw new Problem('bad_request', `There are ${values.length} things to publish; a run publishes 1 to ${thingsMax}. Iterate for more.`, { field: 'value' })
    if (to === 'http' && url === undefined) throw new Problem('bad_request', 'Say where to send it: url.', { field: 'url' })
    const records = Array.isArray(data) ? data : values.map(() => data)
    if (records.length !== values.length) throw new Problem('bad_request', `There are ${values.length} things to publish and ${records.length} records in data. Give one for each, or a single one.`, { field: 'data' })
    const things = values.map((one, index) => {
      const thing = know(one)
      const record = records[index]
      const names: Record<string, Json> = {
        ...(record !== null && typeof record === 'object' && !Array.isArray(record) ? record : {}),
        name, index: index + 1, sha256: thing.sha256, extension: endings[thing.mime] ?? thing.mime.slice(thing.mime.indexOf('/') + 1),
      }
      return { ...thing, place: fillWords(path, names, { field: 'path' }), address: to === 'http' ? fillWords(url!, escaped(names), { field: 'url' }) : null }
    })
    const twice = things.find(({ place, address }, index) => things.findIndex(other => other.place === place && other.address === address) < index)
    if (twice) throw new Problem('bad_request', `Two things would be published as ${twice.address ?? twice.place}. Put {{index}} or {{sha256}} into the path.`, { field: to === 'http' ? 'url' : 'path' })

    const wanted = await Promise.all(things.map(async ({ sha256, place, address, size }): Promise<Publication> => ({ to, address: address === null ? place : `${address} ${place}`, sha256, sizeBytes: await size(bench) })))
    const counted = await bench.count(wanted)
    const addresses: string[] = []
    for (const [index, { read, mime, sha256, place, address }] of things.entries()) {
      try {
        bench.signal.throwIfAborted()
        const bytes = await read(bench)
        addresses.push(address === null ? await bench.publish(to as 'folder' | 's3', place, bytes, mime) : await send({ bytes, mime, sha256, address, place, method, body }, bench))
      } catch (thrown) {
        await counted.takeBack(wanted.slice(wasRefused(thrown) ? index : index + 1))
        throw thrown
      }
    }
    return { address: addresses[0]!, addresses, count: addresses.length }
  },
})

/** Names that are written into an address. */
const escaped = (names: Record<string, Json>): Record<string, Json> => Object.fromEntries(Object.entries(names).map(([name, word]) => [name, typeof word === 'object' ? word : encodeURIComponent(String(word).toWellFormed())]))

/** Whether the place surely did not take it: it said no, or was never asked. A lost answer may have been a yes. */
const wasRefused = (thrown: unknown): boolean => thrown instanceof Problem && (thrown.code === 'bad_request' || thrown.code === 'bad_input_image' || thrown.code === 'provider_rejected' || thrown.code === 'private_address')

/** What a thing is, before its bytes are read. */
function know(value: Json): { mime: string; sha256: string; size(bench: Bench): Promise<number>; read(bench: Bench): Promise<Buffer> } {
  if (isMedia(value)) {
    const media = value as Media
    return { mime: media.mime, sha256: media.sha256, size: bench => bench.sizeOf(media), read: bench => bench.read(media) }
  }
  const [text, mime] = typeof value === 'string' ? [value, 'text/plain'] : [`${JSON.stringify(value, null, 2)}\n`, 'application/json']
  const bytes = Buffer.from(text)
  return { mime, sha256: hash('sha256', bytes), size: () => Promise.resolve(bytes.length), read: () => Promise.resolve(bytes) }
}

interface Sending { bytes: Buffer; mime: string; sha256: string; address: string; place: string; method: string; body: string }

/** The same thing to the same place carries the same id, so that a receiver can tell a repetition. */
async function send({ bytes, mime, sha256, address, place, method, body }: Sending, bench: Bench): Promise<string> {
  const boundary = `plantain-${sha256.slice(0, 32)}`
  const file = place.slice(place.lastIndexOf('/') + 1).replace(/["\\\r\n]/g, '_')
  const form = body === 'multipart'
  const sent = form ? Buffer.concat([Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; name="path"\r\n\r\n${place}\r\n--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${file}"\r\ncontent-type: ${mime}\r\n\r\n`), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)]) : bytes
  const id = `msg_${hash('sha256', `${address}\n${place}\n${sha256}`).slice(0, 32)}`
  const response = await bench.fetch(address, {
    method, body: sent, redirect: 'error', signal: bench.signal,
    headers: { 'content-type': form ? `multipart/form-data; boundary=${boundary}` : mime, 'x-plantain-path': encodeURI(place.toWellFormed()), ...await bench.sign(id, sent) },
  })
  const said = (await response.text().catch(() => '')).slice(0, 200)
  if (response.ok) return response.headers.get('location') ?? address
  throw new Problem(response.status >= 500 || response.status === 429 ? 'provider_down' : 'provider_rejected', `${new URL(address).host} answered ${response.status} to what was published${said === '' ? '' : `: ${said}`}. Nothing was charged for it; see to the receiver and resume.`, { upstreamCode: String(response.status), field: 'url' })
}
