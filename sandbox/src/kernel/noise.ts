/** Smooth chance over a plane: clouds, rock, wood, waves. */

function lattice(x: number, y: number, seed: number): number {
  let h = (Math.imul(x, 374761393) + Math.imul(y, 668265263) + Math.imul(seed, 1274126177)) | 0
  h = Math.imul(h ^ (h >>> 13), 1274126177)
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296
}

/** One octave, 0 to 1. */
export function noise2(x: number, y: number, seed = 0): number {
  const column = Math.floor(x)
  const row = Math.floor(y)
  let u = x - column
  let v = y - row
  u = u * u * u * (u * (u * 6 - 15) + 10)
  v = v * v * v * (v * (v * 6 - 15) + 10)
  const a = lattice(column, row, seed)
  const b = lattice(column + 1, row, seed)
  const c = lattice(column, row + 1, seed)
  const d = lattice(column + 1, row + 1, seed)
  return a + (b - a) * u + (c - a) * v + (a - b - c + d) * u * v
}

/** Several octaves, each turned a little so that no grid shows; 0 to 1, mostly 0.25 to 0.75. */
export function fbm(x: number, y: number, seed = 0, octaves = 5, gain = 0.5, lacunarity = 2.03): number {
  let amplitude = 0.5
  let value = 0
  let total = 0
  for (let octave = 0; octave < octaves; octave++) {
    value += amplitude * noise2(x, y, seed + octave * 17)
    total += amplitude
    amplitude *= gain
    const turned = x * lacunarity * 0.8 - y * lacunarity * 0.6 + 3.1
    y = x * lacunarity * 0.6 + y * lacunarity * 0.8 + 7.7
    x = turned
  }
  return value / total
}

/** Sharp crests and smooth valleys: mountains. */
export function ridge(x: number, y: number, seed = 0, octaves = 6): number {
  let amplitude = 0.5
  let value = 0
  let total = 0
  let weight = 1
  for (let octave = 0; octave < octaves; octave++) {
    let crest = 1 - Math.abs(noise2(x, y, seed + octave * 31) * 2 - 1)
    crest *= crest
    value += amplitude * crest * weight
    total += amplitude
    weight = Math.min(1, crest * 1.6)
    amplitude *= 0.5
    const turned = x * 1.6 - y * 1.2 + 3.1
    y = x * 1.2 + y * 1.6 + 7.7
    x = turned
  }
  return value / total
}
