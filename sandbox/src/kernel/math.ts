/**
 * Sine, exponential and friends that give the same bits on every machine.
 *
 * V8's own differ between x64 and arm64, and `pow` between Node versions, so a picture would too. These use only
 * + - * / and bit patterns. They are good to about 1e-12, far below what a pixel can show. Nothing else in the
 * renderer may call the built-in ones; `test/determinism.test.ts` reads the sources.
 */

export const tau = 6.283185307179586

const halfPi = 1.5707963267948966

/** Taylor series on [-pi/4, pi/4], where it converges in a few steps. */
function sineSmall(x: number): number {
  const q = x * x
  return x * (1 + q * (-1 / 6 + q * (1 / 120 + q * (-1 / 5040 + q * (1 / 362880 + q * (-1 / 39916800 + q / 6227020800))))))
}

function cosineSmall(x: number): number {
  const q = x * x
  return 1 + q * (-1 / 2 + q * (1 / 24 + q * (-1 / 720 + q * (1 / 40320 + q * (-1 / 3628800 + q / 479001600)))))
}

export function sin(x: number): number {
  const turns = Math.floor(x / halfPi + 0.5)
  const rest = x - turns * halfPi
  switch (turns & 3) {
    case 0: return sineSmall(rest)
    case 1: return cosineSmall(rest)
    case 2: return -sineSmall(rest)
    default: return -cosineSmall(rest)
  }
}

export const cos = (x: number): number => sin(x + halfPi)

export const tan = (x: number): number => sin(x) / cos(x)

const ln2 = 0.6931471805599453

export function exp(x: number): number {
  if (x < -700) return 0
  if (x > 700) return Infinity
  const power = Math.floor(x / ln2 + 0.5)
  const r = x - power * ln2
  let value = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r * (1 / 5040 + r * (1 / 40320 + r / 362880))))))))
  let steps = power
  while (steps >= 30) { value *= 1073741824; steps -= 30 }
  while (steps <= -30) { value /= 1073741824; steps += 30 }
  return steps >= 0 ? value * (1 << steps) : value / (1 << -steps)
}

const box = new DataView(new ArrayBuffer(8))

export function log(x: number): number {
  if (x <= 0) return x === 0 ? -Infinity : NaN
  box.setFloat64(0, x)
  const high = box.getUint32(0)
  let power = (high >>> 20) - 1023
  box.setUint32(0, (high & 0xfffff) | 0x3ff00000)
  let m = box.getFloat64(0)
  if (m > 1.4142135623730951) { m /= 2; power++ }
  const s = (m - 1) / (m + 1)
  const q = s * s
  return power * ln2 + 2 * s * (1 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11 + q / 13))))))
}

/** `base` is never negative in a renderer; a negative one counts as zero. */
export function pow(base: number, exponent: number): number {
  if (exponent === 0) return 1
  if (base <= 0) return 0
  if (exponent > 0 && exponent <= 16 && Number.isInteger(exponent)) {
    let value = 1
    for (let square = base, rest = exponent; rest > 0; rest >>= 1, square *= square) if (rest & 1) value *= square
    return value
  }
  return exp(exponent * log(base))
}

function arctangentSmall(x: number): number {
  // Halving the angle twice brings it under 0.2, where the series is short.
  const half = x / (1 + Math.sqrt(1 + x * x))
  const quarter = half / (1 + Math.sqrt(1 + half * half))
  const q = quarter * quarter
  return 4 * quarter * (1 + q * (-1 / 3 + q * (1 / 5 + q * (-1 / 7 + q * (1 / 9 + q * (-1 / 11 + q / 13))))))
}

export function atan2(y: number, x: number): number {
  if (x === 0 && y === 0) return 0
  if (Math.abs(x) >= Math.abs(y)) {
    const angle = arctangentSmall(y / x)
    if (x > 0) return angle
    return y >= 0 ? angle + 2 * halfPi : angle - 2 * halfPi
  }
  const angle = arctangentSmall(x / y)
  return y > 0 ? halfPi - angle : -halfPi - angle
}

/** Length of a vector; spelled out because `Math.hypot` is slow. */
export const length = (x: number, y: number, z = 0): number => Math.sqrt(x * x + y * y + z * z)
