/** How large a picture is, from its first bytes: for in-between pictures, which have no row that says so. Pure. */

/** `512x512`; null for bytes it does not know. */
export function sizeOfPicture(bytes: Buffer): string | null {
  if (bytes.length > 24 && bytes.readUInt32BE(0) === 0x89504e47) return `${bytes.readUInt32BE(16)}x${bytes.readUInt32BE(20)}`
  if (bytes.length > 30 && bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP') return sizeOfWebp(bytes)
  if (bytes.length > 4 && bytes.readUInt16BE(0) === 0xffd8) return sizeOfJpeg(bytes)
  return null
}

function sizeOfWebp(bytes: Buffer): string | null {
  switch (bytes.toString('latin1', 12, 16)) {
    case 'VP8X': return `${bytes.readUIntLE(24, 3) + 1}x${bytes.readUIntLE(27, 3) + 1}`
    case 'VP8L': { const bits = bytes.readUInt32LE(21); return `${(bits & 0x3fff) + 1}x${((bits >> 14) & 0x3fff) + 1}` }
    case 'VP8 ': return `${bytes.readUInt16LE(26) & 0x3fff}x${bytes.readUInt16LE(28) & 0x3fff}`
    default: return null
  }
}

/** Walks the segments to the frame header. */
function sizeOfJpeg(bytes: Buffer): string | null {
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff;) {
    const marker = bytes[at + 1]!
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc
    if (isFrame) return `${bytes.readUInt16BE(at + 7)}x${bytes.readUInt16BE(at + 5)}`
    at += 2 + bytes.readUInt16BE(at + 2)
  }
  return null
}
