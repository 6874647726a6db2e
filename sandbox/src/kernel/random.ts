/** Chance that can be repeated: every draw follows from a seed, and every part of a picture has a stream of its own. */

/** A 32-bit number for a text, well mixed: neighbouring texts get unrelated numbers. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i)
    hash = Math.imul(hash, 0x01000193)
  }
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  hash ^= hash >>> 16
  return hash >>> 0
}

export class Random {
  readonly seed: number
  #state: number

  constructor(seed: number | string) {
    this.seed = (typeof seed === 'string' ? hash32(seed) : seed) >>> 0
    this.#state = this.seed || 1
  }

  /** 0 up to, never reaching, 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  range(from: number, to: number): number {
    return from + (to - from) * this.next()
  }

  /** Whole number, both ends included. */
  int(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1))
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)]!
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** Around 0, seldom beyond 1 either way: for what wavers about a middle. */
  bell(): number {
    return this.next() + this.next() + this.next() + this.next() - 2
  }

  /** A stream of its own for one part of the picture, so that a draw added here never shifts a draw there. */
  fork(tag: string): Random {
    return new Random(hash32(`${tag}:${this.seed}`))
  }
}
