/**
 * Memory for what is large and soon over: an upstream's answer, the picture in it, its base64 on the way out.
 *
 * Fresh megabytes for each would be paid twice: the kernel hands out every page of them anew, and V8 goes through its whole heap after
 * each 64 MB of buffers, wanted or not (measured: 25 of 36 ms for a picture of 1.5 MB). So they are lent and given back. Whoever still
 * holds a block that was given back finds it empty: it never shows what somebody else has put there. One that is not given back is
 * collected like any other, so nothing has to be.
 */

const smallestBytes = 256 * 1024
/** Larger ones are made and forgotten. */
const largestBytes = 32 * 1024 * 1024
const idleBytesMax = 64 * 1024 * 1024
const idleMs = 10_000

const idle = new Map<number, ArrayBuffer[]>()
/** Who holds them, counted. */
const lent = new WeakMap<ArrayBufferLike, number>()
let idleBytes = 0
let timer: NodeJS.Timeout | undefined

/** Memory of this size, whatever was in it before. */
export function borrow(sizeBytes: number): Buffer {
  if (sizeBytes < smallestBytes / 4 || sizeBytes > largestBytes) return Buffer.allocUnsafeSlow(sizeBytes)
  const capacity = capacityFor(sizeBytes)
  const found = idle.get(capacity)?.pop()
  if (found) idleBytes -= capacity
  const block = found ?? Buffer.allocUnsafeSlow(capacity).buffer
  lent.set(block, 1)
  return Buffer.from(block, 0, sizeBytes)
}

/** Holds on to borrowed memory for one more holder, who gives it back for himself. */
export function hold<Bytes extends Uint8Array>(bytes: Bytes): Bytes {
  const holders = lent.get(bytes.buffer)
  if (holders !== undefined) lent.set(bytes.buffer, holders + 1)
  return bytes
}

/**
 * Lets go of borrowed memory, once for each holder: when the last one has, every view of it is empty. Nothing happens to what was not
 * borrowed. No read or write of it may be under way.
 */
export function giveBack(bytes: Uint8Array): void {
  const block = bytes.buffer
  const holders = lent.get(block)
  if (holders === undefined) return
  if (holders > 1) { lent.set(block, holders - 1); return }
  lent.delete(block)
  const own = (block as ArrayBuffer).transfer()
  if (idleBytes + own.byteLength > idleBytesMax) return
  idleBytes += own.byteLength
  const same = idle.get(own.byteLength)
  if (same) same.push(own)
  else idle.set(own.byteLength, [own])
  if (timer) timer.refresh()
  else timer = setTimeout(forget, idleMs).unref()
}

/** Nobody gave anything back for a while: the machine may have it. */
function forget(): void {
  idle.clear()
  idleBytes = 0
  timer = undefined
}

/** Steps of a quarter to a half, so that little is lent for nothing. */
function capacityFor(sizeBytes: number): number {
  let capacity = smallestBytes
  while (capacity < sizeBytes) capacity *= 2
  return sizeBytes <= capacity / 4 * 3 ? capacity / 4 * 3 : capacity
}
