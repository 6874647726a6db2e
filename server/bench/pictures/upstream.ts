/**
 * The loopback upstream of the picture benchmark, a process of its own: a picture of 1.5 MB as OpenAI hands it out (`b64_json`), and as the
 * rehearsal provider is given it (a link). Every picture is another one, so that nothing can be remembered. Prints its address.
 */
import { randomFillSync } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { crc32 } from 'node:zlib'
import sharp from 'sharp'

const side = 708
const png = await sharp(randomFillSync(Buffer.alloc(side * side * 3)), { raw: { width: side, height: side, channels: 3 } }).png({ compressionLevel: 0 }).toBuffer()
let made = 0

/** The same picture with a number in it: other bytes, another hash. Signature, header and the chunk with the number are whole threes of bytes, so its base64 can be put together too. */
function another(): Buffer[] {
  const text = Buffer.from(`tEXtNumber\0${String(++made).padStart(8, '0')}`)
  const frame = Buffer.alloc(4)
  frame.writeUInt32BE(text.length - 4)
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(text))
  return [png.subarray(0, 33), frame, text, sum, png.subarray(33)]
}

const opening = Buffer.from(`{"created":1,"data":[{"b64_json":"${png.toString('base64', 0, 33)}`)
const closing = Buffer.from(`${png.toString('base64', 33)}"}],"usage":{"total_tokens":1}}`)

const server = createServer((request, response) => {
  request.resume()
  const { url = '/' } = request
  if (url.startsWith('/files/')) {
    const parts = another()
    response.writeHead(200, { 'content-type': 'image/png', 'content-length': parts.reduce((sum, part) => sum + part.length, 0) })
    for (const part of parts) response.write(part)
    response.end()
    return
  }
  const body = url === '/jobs'
    ? [Buffer.from(JSON.stringify({ id: `job-${++made}`, status: 'ready', pictures: [{ url: `http://${request.headers.host}/files/${made}.png` }] }))]
    : [opening, Buffer.from(Buffer.concat(another().slice(1, -1)).toString('base64')), closing]
  request.once('end', () => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.reduce((sum, part) => sum + part.length, 0) })
    // In one piece to the socket: what this process costs is taken from everybody's throughput.
    response.cork()
    for (const part of body) response.write(part)
    response.end()
  })
})
// A connection stays open between two turns: who only passes on does not ask twice when it is closed under him.
server.keepAliveTimeout = 3_600_000
server.listen(0, '127.0.0.1', () => { console.log(JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, pictureBytes: png.length })) })
