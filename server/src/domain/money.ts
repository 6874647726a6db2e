/** Money is whole micro-dollars (USD × 10⁻⁶) in a JavaScript integer; sums stay below 2^53, nine billion dollars. */
export const microsPerDollar = 1_000_000

/** `0.0336` for 33,600: at most six digits behind the point, none of them wasted. */
export function formatDollars(micros: number): string {
  const sign = micros < 0 ? '-' : ''
  const digits = String(Math.abs(micros)).padStart(7, '0')
  const fraction = digits.slice(-6).replace(/0+$/, '').padEnd(2, '0')
  return `${sign}${digits.slice(0, -6)}.${fraction}`
}

/** Reads a decimal dollar amount exactly ("12.5" → 12,500,000); null where it is none or finer than a micro-dollar. */
export function readDollars(text: string): number | null {
  const match = /^(\d{1,9})(?:\.(\d{1,6}))?$/.exec(text)
  if (!match) return null
  return Number(match[1]) * microsPerDollar + Number((match[2] ?? '').padEnd(6, '0'))
}
