/** EXIF is a small TIFF: directories of entries. Pure; what is cleaned is cleaned in place and keeps its length, so nothing around it moves. */

/** Where in the EXIF a place may stand: the GPS directory, the maker's private notes, embedded XMP and IPTC. */
const telling = new Set([0x8825, 0x927c, 0x02bc, 0x83bb])
/** Nobody's camera writes more of them; a file made of nothing else must not keep us busy. */
const tellingMax = 100
const exifDirectory = 0x8769
const orientationTag = 0x0112
const unitBytes = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4]

interface Tiff { u16(at: number): number; u32(at: number): number; set16(value: number, at: number): void; first: number }

function open(bytes: Buffer): Tiff | null {
  const order = bytes.toString('latin1', 0, 4)
  if (bytes.length < 14 || (order !== 'II*\0' && order !== 'MM\0*')) return null
  return order === 'II*\0'
    ? { u16: at => bytes.readUInt16LE(at), u32: at => bytes.readUInt32LE(at), set16: (value, at) => { bytes.writeUInt16LE(value, at) }, first: bytes.readUInt32LE(4) }
    : { u16: at => bytes.readUInt16BE(at), u32: at => bytes.readUInt32BE(at), set16: (value, at) => { bytes.writeUInt16BE(value, at) }, first: bytes.readUInt32BE(4) }
}

/** Does a whole directory stand at this place? */
const hasDirectory = (bytes: Buffer, tiff: Tiff, at: number) => at >= 8 && at + 6 <= bytes.length && at + 6 + 12 * tiff.u16(at) <= bytes.length

export function readOrientation(bytes: Buffer): number | null {
  const tiff = open(bytes)
  if (!tiff || !hasDirectory(bytes, tiff, tiff.first)) return null
  for (let index = 0; index < tiff.u16(tiff.first); index += 1) {
    const entry = tiff.first + 2 + 12 * index
    const value = tiff.u16(entry) === orientationTag ? tiff.u16(entry + 8) : 0
    if (value >= 1 && value <= 8) return value
  }
  return null
}

/** Takes the entries that tell a place out of the EXIF, and overwrites what they pointed at. `unreadable`: nobody can say what is in it. */
export function removeLocation(bytes: Buffer): 'clean' | 'removed' | 'unreadable' {
  const tiff = open(bytes)
  if (!tiff) return 'unreadable'
  let removed = 0
  let wiped = 0
  const seen = new Set<number>()

  const wipe = (entry: number) => {
    const size = (unitBytes[tiff.u16(entry + 2)] ?? 1) * tiff.u32(entry + 4)
    const at = tiff.u32(entry + 8)
    const end = Math.min(bytes.length, at + size)
    if (size <= 4 || at >= bytes.length || wiped > bytes.length) return
    bytes.fill(0, at, end)
    wiped += end - at
  }
  const wipeDirectory = (at: number) => {
    if (!hasDirectory(bytes, tiff, at)) return
    const count = tiff.u16(at)
    for (let index = 0; index < count; index += 1) wipe(at + 2 + 12 * index)
    bytes.fill(0, at, at + 6 + 12 * count)
  }
  /** True when the directory, and every one it leads to, could be read. */
  const clean = (at: number): boolean => {
    if (at === 0 || seen.has(at)) return true
    if (seen.size > 16 || !hasDirectory(bytes, tiff, at)) return false
    seen.add(at)
    let readable = true
    let count = tiff.u16(at)
    for (let index = 0; index < count;) {
      const entry = at + 2 + 12 * index
      const tag = tiff.u16(entry)
      if (tag === exifDirectory) readable = clean(tiff.u32(entry + 8)) && readable
      if (!telling.has(tag)) { index += 1; continue }
      if (++removed > tellingMax) return false
      if (tag === 0x8825) wipeDirectory(tiff.u32(entry + 8))
      else wipe(entry)
      // What pointed at it is closed over, and the place that becomes free at the end is emptied.
      const end = at + 2 + 12 * count + 4
      bytes.copyWithin(entry, entry + 12, end)
      bytes.fill(0, end - 12, end)
      count -= 1
      tiff.set16(count, at)
    }
    return clean(tiff.u32(at + 2 + 12 * count)) && readable
  }
  try {
    return clean(tiff.first) && wiped <= bytes.length ? removed > 0 ? 'removed' : 'clean' : 'unreadable'
  } catch (error) {
    if (error instanceof RangeError) return 'unreadable'
    throw error
  }
}

/** The smallest EXIF there is: which way is up. */
export function writeOrientation(orientation: number): Buffer {
  const bytes = Buffer.alloc(26)
  bytes.write('MM\0*', 'latin1')
  bytes.writeUInt32BE(8, 4)
  bytes.writeUInt16BE(1, 8)
  bytes.writeUInt16BE(orientationTag, 10)
  bytes.writeUInt16BE(3, 12)
  bytes.writeUInt32BE(1, 14)
  bytes.writeUInt16BE(orientation, 18)
  return bytes
}
