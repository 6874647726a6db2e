import { crc32, deflateSync } from 'node:zlib'

const colours = [[214, 74, 60], [236, 150, 44], [240, 206, 74], [92, 168, 90], [58, 142, 168], [64, 92, 170], [132, 84, 160], [190, 96, 132]] as const

const chunk = (type: string, data: Uint8Array): Buffer => {
  const part = Buffer.alloc(12 + data.length)
  part.writeUInt32BE(data.length, 0)
  part.write(type, 4, 'latin1')
  part.set(data, 8)
  part.writeUInt32BE(crc32(part.subarray(4, 8 + data.length)), 8 + data.length)
  return part
}

const pixels = new Map<string, { head: Buffer; tail: Buffer }>()

function plain(width: number, height: number, colour: number): { head: Buffer; tail: Buffer } {
  const name = `${width}x${height}/${colour}`
  const kept = pixels.get(name)
  if (kept) return kept
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const row = Buffer.alloc(1 + width * 3)
  for (let x = 0; x < width; x++) row.set(colours[colour]!, 1 + x * 3)
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  const made = {
    head: Buffer.concat([signature, chunk('IHDR', header)]),
    tail: Buffer.concat([chunk('IDAT', deflateSync(Buffer.concat(Array.from({ length: height }, () => row)), { level: 9 })), chunk('IEND', Buffer.alloc(0))]),
  }
  // Tests ask for a handful of sizes; a run that asks for many must not grow for ever.
  if (pixels.size > 64) pixels.clear()
  pixels.set(name, made)
  return made
}

/**
 * A valid PNG of one colour, with `note` in a text chunk so that every job's bytes are its own.
 *
 * The pixels are deflated once per size and colour: a picture costs microseconds, and a run with thousands a second measures
 * the house and not this file.
 */
export function paintPlain(width: number, height: number, note: string): Buffer {
  const text = Buffer.from(`Comment\0${note}`, 'latin1')
  const { head, tail } = plain(width, height, crc32(text) % colours.length)
  return Buffer.concat([head, chunk('tEXt', text), tail])
}
