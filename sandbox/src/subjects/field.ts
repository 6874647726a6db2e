/**
 * Turns a solid into two functions: how far a point is from its surface, and of what it is there.
 *
 * The functions are written as source text and compiled, because the marcher asks some ten million times for a picture:
 * with all sizes as literals and no loops this is several times faster than walking the list of parts. The text is made
 * of numbers alone; nothing a caller wrote gets into it.
 */
import { cos, length, sin, tau } from '../kernel/math.ts'
import type { Part, Point, Solid } from './solid.ts'

export interface Field {
  distance: (x: number, y: number, z: number) => number
  /** Writes [first material, second material, share of the second] into `out`. */
  material: (x: number, y: number, z: number, out: Float64Array) => void
  names: string[]
}

const number = (x: number): string => `(${x.toFixed(6)})`

/** Rows of the rotation that takes the world into the part's own axes. */
function axes([a, b, c]: Point): [Point, Point, Point] {
  const degree = tau / 360
  const ca = cos(a * degree)
  const sa = sin(a * degree)
  const cb = cos(b * degree)
  const sb = sin(b * degree)
  const cc = cos(c * degree)
  const sc = sin(c * degree)
  return [
    [cc * cb, sc * cb, -sb],
    [cc * sb * sa - sc * ca, sc * sb * sa + cc * ca, cb * sa],
    [cc * sb * ca + sc * sa, sc * sb * ca - cc * sa, cb * ca],
  ]
}

/** Declarations, then an expression for the signed distance. */
function source(part: Part): { before: string; value: string } {
  const [ax, ay, az] = part.at
  let before = `const X=${part.mirror ? 'Math.abs(x)' : 'x'}-${number(ax)},Y=y-${number(ay)},Z=z-${number(az)}`
  let [X, Y, Z] = ['X', 'Y', 'Z']
  if (part.rotate) {
    const rows = axes(part.rotate)
    ;['U', 'V', 'W'].forEach((name, i) => { before += `,${name}=${number(rows[i]![0])}*X+${number(rows[i]![1])}*Y+${number(rows[i]![2])}*Z` })
    ;[X, Y, Z] = ['U', 'V', 'W']
  }
  const rounded = (a: string, b: string, round: number): string => {
    before += `,a=${a},b=${b},ma=a>0?a:0,mb=b>0?b:0`
    return `Math.sqrt(ma*ma+mb*mb)+Math.min(Math.max(a,b),0)-${number(round)}`
  }
  let value: string
  switch (part.shape) {
    case 'sphere':
      value = `Math.sqrt(${X}*${X}+${Y}*${Y}+${Z}*${Z})-${number(part.radius)}`
      break
    case 'ellipsoid': {
      const [p, q, r] = part.radii.map((radius) => number(1 / radius))
      before += `,a=${X}*${p},b=${Y}*${q},c=${Z}*${r},k=Math.sqrt(a*a+b*b+c*c),a2=a*${p},b2=b*${q},c2=c*${r}`
      value = `k*(k-1)/(Math.sqrt(a2*a2+b2*b2+c2*c2)+1e-9)`
      break
    }
    case 'box': {
      const [p, q, r] = part.half.map((half) => number(half - part.round))
      before += `,a=Math.abs(${X})-${p},b=Math.abs(${Y})-${q},c=Math.abs(${Z})-${r},ma=a>0?a:0,mb=b>0?b:0,mc=c>0?c:0`
      value = `Math.sqrt(ma*ma+mb*mb+mc*mc)+Math.min(Math.max(a,b,c),0)-${number(part.round)}`
      break
    }
    case 'torus': {
      before += `,a=Math.sqrt(${X}*${X}+${Y}*${Y})-${number(part.ring)},p=a*${number(1 / part.tube)},q=${Z}*${number(1 / part.depth)}`
      const thin = Math.min(part.tube, part.depth)
      value = `(Math.sqrt(p*p+q*q)-1)*${number(thin)}`
      if (part.above !== undefined) value = `Math.max(${value},${number(part.above)}-${Y})`
      break
    }
    case 'cylinder':
      value = rounded(`Math.sqrt(${X}*${X}+${Z}*${Z})-${number(part.radius - part.round)}`, `Math.abs(${Y})-${number(part.half - part.round)}`, part.round)
      break
    case 'capsule': {
      const d = part.to.map((x, i) => x - part.at[i]!) as Point
      const squared = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
      const [p, q, r] = d.map(number)
      before += `,l=Math.max(0,Math.min(1,(${X}*${p}+${Y}*${q}+${Z}*${r})*${number(1 / squared)})),a=${X}-${p}*l,b=${Y}-${q}*l,c=${Z}-${r}*l`
      value = `Math.sqrt(a*a+b*b+c*c)-(${number(part.radius)}+${number(part.endRadius - part.radius)}*l)`
      break
    }
    case 'cone': {
      const middle = (part.bottom + part.top) / 2
      const slope = (part.top - part.bottom) / (2 * part.half)
      value = `(${rounded(`Math.sqrt(${X}*${X}+${Z}*${Z})-(${number(middle - part.round)}+${Y}*${number(slope)})`, `Math.abs(${Y})-${number(part.half - part.round)}`, part.round)})*.9`
      break
    }
    case 'plate': {
      const squared = Math.max(...part.corners.map(([a, b]) => a * a + b * b))
      const sides = part.corners.map(([a, b], i) => {
        const [c, d] = part.corners[(i + 1) % part.corners.length]!
        const long = length(c - a, d - b, 0)
        // The side's outward direction, and how far the side lies along it.
        const [nx, ny] = [(d - b) / long, (a - c) / long]
        return `${X}*${number(nx)}+${Y}*${number(ny)}-${number(nx * a + ny * b)}`
      })
      const swollen = part.bow ? `${Z}-${number(part.bow)}*(1-Math.min(1,(${X}*${X}+${Y}*${Y})*${number(1 / squared)}))` : Z
      value = `Math.max(${sides.join(',')},Math.abs(${swollen})-${number(part.half)})${part.bow ? '*.8' : ''}`
      break
    }
  }
  if (part.cut) {
    const terms = ['x', 'y', 'z'].map((axis, i) => `((${axis}-${number(part.cut!.at[i]!)})*${number(1 / part.cut!.radii[i]!)})**2`)
    value = `Math.max(${value},(1-Math.sqrt(${terms.join('+')}))*${number(Math.min(...part.cut.radii) * 0.9)})`
  }
  return { before, value }
}

/** How far from `at` the part may reach; 0 where it cannot be said simply. */
function reach(part: Part): number {
  switch (part.shape) {
    case 'sphere': return part.radius
    case 'ellipsoid': return Math.max(...part.radii)
    case 'box': return length(...part.half)
    case 'torus': return part.ring + Math.max(part.tube, part.depth)
    case 'cylinder': return length(part.radius, part.half)
    case 'cone': return length(Math.max(part.bottom, part.top), part.half)
    case 'plate': return Math.max(...part.corners.map(([a, b]) => length(a, b))) + part.half + Math.abs(part.bow)
    case 'capsule': return length(part.to[0] - part.at[0], part.to[1] - part.at[1], part.to[2] - part.at[2]) + Math.max(part.radius, part.endRadius)
  }
}

export function makeField(solid: Solid): Field {
  const names = Object.keys(solid.materials)
  let distance = 'let d=1e9,e,h;'
  let material = 'let d=1e9,e,h,M=0,N=0,S=0;'
  solid.parts.forEach((part, index) => {
    const { before, value } = source(part)
    const blend = part.blend ?? 0
    const own = names.indexOf(part.material)
    let open = ''
    let close = ''
    if (index > 0) {
      // A part whose sphere lies farther than what was found so far cannot matter.
      const side = part.mirror ? 'Math.abs(x)' : 'x'
      open = `{const p=${side}-${number(part.at[0])},q=y-${number(part.at[1])},r=z-${number(part.at[2])},s=${part.subtract ? '-d' : 'd'}+${number(reach(part) + blend + 0.002)};if(s>0&&p*p+q*q+r*r<s*s){`
      close = '}}'
    }
    const start = `${open}{${before};e=${value};`
    const k = number(blend || 0.001)
    if (part.subtract) {
      const cutOut = `h=Math.max(${k}-Math.abs(-e-d),0)/${k};d=Math.max(-e,d)+h*h*${k}*.25;}${close}`
      distance += start + cutOut
      material += `${start}if(-e>d-0.012){M=${own};S=0}${cutOut}`
    } else if (blend > 0) {
      const melt = `d=Math.min(e,d)-h*h*${k}*.25;}${close}`
      const near = `h=Math.max(${k}-Math.abs(e-d),0)/${k};`
      distance += start + near + melt
      material += `${start}${near}if(e<d){N=M;S=h*h*.5;M=${own}}else if(h*h*.5>S){N=${own};S=h*h*.5}${melt}`
    } else {
      distance += `${start}if(e<d)d=e;}${close}`
      material += `${start}if(e<d){d=e;M=${own};S=0}}${close}`
    }
  })
  return {
    distance: new Function('x', 'y', 'z', `${distance}return d`) as Field['distance'],
    material: new Function('x', 'y', 'z', 'out', `${material}out[0]=M;out[1]=N;out[2]=S`) as Field['material'],
    names,
  }
}
