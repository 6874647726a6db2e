/**
 * Pictures that were stored a moment ago, still in memory: the call that waits for one is answered without reading its file again.
 *
 * One that came as base64 is kept as that, which is how it will go out. They are here under their SHA-256 after the store has them, never instead. Few, and not for long: until their first reader is done, or
 * for seconds where nobody comes. Absent on purpose: bytes read back from the store.
 */
import { takeText } from '../kit/base64.ts'
import { giveBack } from '../kit/blocks.ts'
import type { Lent } from '../protocols/contract.ts'

const bytesMax = 32 * 1024 * 1024
const keptMs = 5_000

export interface Recent {
  /** Takes bytes that nobody else uses any more. */
  keep(sha256: string, bytes: Buffer): void
  /** The bytes, until they are released; null when they are not here. To look whether they are, `has`. */
  lend(sha256: string): Lent | null
  has(sha256: string): boolean
  forget(sha256: string): void
}

export function createRecent(): Recent {
  const kept = new Map<string, { held: Buffer; isText: boolean; lent: number; gone: boolean; seenMs: number }>()
  let size = 0
  let timer: NodeJS.Timeout | undefined

  const forget = (sha256: string) => {
    const entry = kept.get(sha256)
    if (!entry) return
    kept.delete(sha256)
    size -= entry.held.length
    entry.gone = true
    if (entry.lent === 0) giveBack(entry.held)
  }
  const tidy = () => {
    timer = undefined
    const before = performance.now() - keptMs
    for (const [sha256, { seenMs }] of kept) if (seenMs < before) forget(sha256)
    if (kept.size > 0) timer = setTimeout(tidy, keptMs).unref()
  }

  return {
    keep(sha256, bytes) {
      const text = takeText(bytes)
      const held = text ?? bytes
      if (text) giveBack(bytes)
      if (kept.has(sha256) || held.length > bytesMax / 2) { giveBack(held); return }
      kept.set(sha256, { held, isText: text !== null, lent: 0, gone: false, seenMs: performance.now() })
      size += held.length
      for (const [oldest] of kept) {
        if (size <= bytesMax) break
        forget(oldest)
      }
      timer ??= setTimeout(tidy, keptMs).unref()
    },
    lend(sha256) {
      const entry = kept.get(sha256)
      if (!entry) return null
      entry.lent += 1
      let released = false
      return {
        ...entry.isText ? { base64: entry.held } : { bytes: entry.held },
        release() {
          if (released) return
          released = true
          entry.lent -= 1
          if (!entry.gone) forget(sha256)
          else if (entry.lent === 0) giveBack(entry.held)
        },
      }
    },
    has: sha256 => kept.has(sha256),
    forget,
  }
}
