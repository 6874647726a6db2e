/** Names that look like one somebody mistyped, nearest first; none where nothing is near. Pure. */
export function nearNames(wanted: string, names: Iterable<string>, max = 3): string[] {
  const asked = plain(wanted.slice(0, 100))
  if (asked === '') return []
  return [...new Set(names)]
    .map(name => ({ name, distance: distanceOf(asked, plain(name)) }))
    .filter(({ distance, name }) => distance <= Math.max(2, Math.floor(Math.min(asked.length, name.length) / 3)))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, max)
    .map(({ name }) => name)
}

const plain = (name: string): string => name.toLowerCase().replace(/^.*\//, '').replace(/[^a-z0-9]/g, '')

/** Levenshtein's distance; a name that begins with the other is one step away. */
function distanceOf(a: string, b: string): number {
  if (a === b) return 0
  if (a.length >= 4 && b.length >= 4 && (a.startsWith(b) || b.startsWith(a))) return 1
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}
