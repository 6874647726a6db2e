/**
 * Photographs a solid: sphere tracing, soft shadow, occlusion, reflection of sky or softboxes, and a shadow on the ground.
 *
 * The most expensive part of the renderer, so it works at a few hundred pixels and allocates nothing per step.
 */
import { blurCanvas, fromPixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import type { Rgb } from '../kernel/colour.ts'
import { clamp, lerp, mix, smooth } from '../kernel/colour.ts'
import { cos, pow, sin, tan } from '../kernel/math.ts'
import { fbm } from '../kernel/noise.ts'
import type { Light } from '../scenes/scene.ts'
import { makeField } from './field.ts'
import type { Material, Solid } from './solid.ts'

export interface View {
  /** Turn about the upright axis and tilt from above, in radians. */
  yaw: number
  pitch: number
  light: Light
  seed: number
  /** What a polished floor shows of it instead: seen from below the ground, in the wider frame of the shadow. */
  isMirrored?: boolean
}

export interface Shot {
  canvas: Canvas
  /** The ground's, `shadowReach` times as wide and centred on the same point; shadows are longer than things. */
  shadow: Canvas | null
  /** The surface's direction on screen, two numbers a pixel; and whether it wears fur. */
  normals: Float32Array
  furry: Uint8Array
}

export const shadowReach = 1.7

const opening = 0.5
const stepsMax = 72

/** What a mirror at the subject would show in a direction. */
function surroundings(light: Light, lx: number, ly: number, lz: number): (x: number, y: number, z: number) => Rgb {
  if (light.studio) {
    return (x, y, z) => {
      const key = smooth(0.86, 0.95, x * lx + y * ly + z * lz) * 2.2
      const side = smooth(0.42, 0.5, -x * 0.8 + z * 0.4 + y * 0.1) * smooth(0.75, 0.6, Math.abs(y)) * 0.9
      const strip = smooth(0.55, 0.6, y) * smooth(0.5, 0.4, Math.abs(x)) * 0.9
      const value = (0.28 + 0.32 * smooth(-0.3, 0.9, y) + key + side + strip) * 255
      return [value, value, value]
    }
  }
  return (x, y, z) => {
    const open = y > 0 ? mix(light.haze, light.sky, smooth(0, 0.7, y)) : mix(light.haze, light.ground, smooth(0, -0.25, y))
    return mix(open, light.colour, pow(Math.max(0, x * lx + y * ly + z * lz), 40) * 0.9)
  }
}

export function photograph(solid: Solid, side: number, { yaw, pitch, light, seed, isMirrored = false }: View): Shot {
  const { distance, material, names } = makeField(solid)
  const materials: (Required<Omit<Material, 'bump' | 'clear'>> & Pick<Material, 'clear'>)[] = []
  const bumps: [number, number][] = []
  for (const name of names) {
    const { bump, ...rest } = solid.materials[name]!
    materials.push({ roughness: 0.5, specular: 0.3, metal: 0, isFur: false, glow: 0, translucent: 0, ...rest })
    bumps.push(bump ?? [0, 0])
  }
  const noise = seed % 1000
  const [bx, by, bz] = solid.bound.at
  const radius = solid.bound.radius
  const half = tan(opening / 2)
  const far = (radius / half) * 1.06
  const cy = cos(yaw)
  const sy = sin(yaw)
  const cp = cos(pitch)
  const sp = sin(pitch)
  const fx = -sy * cp
  const fy = -sp
  const fz = -cy * cp
  const ox = bx - fx * far
  const eyeY = by - fy * far
  const ground = solid.ground ?? 0
  const oy = isMirrored ? 2 * ground - eyeY : eyeY
  const frame = half * (isMirrored ? shadowReach : 1)
  const oz = bz - fz * far
  const [rx, ry, rz] = [cy, 0, -sy]
  const [ux, uy, uz] = [ry * fz - rz * fy, rz * fx - rx * fz, rx * fy - ry * fx]
  const keyLength = Math.sqrt(light.key[0] ** 2 + light.key[1] ** 2 + light.key[2] ** 2)
  // The key is given as the viewer sees it and turns with the camera, so every subject of a scene is lit from one side.
  const [kx, ky, kz] = [light.key[0] / keyLength, light.key[1] / keyLength, light.key[2] / keyLength]
  const lx = cy * kx + sy * kz
  const ly = ky
  const lz = -sy * kx + cy * kz
  const around = surroundings(light, lx, ly, lz)
  const pixel = (2 * frame * far) / side

  const shade = (px: number, py: number, pz: number, reach: number): number => {
    let result = 1
    let t = 0.03 * radius
    for (let i = 0; i < 22 && t < reach; i++) {
      const h = distance(px + lx * t, py + ly * t, pz + lz * t)
      if (h < 0.0008 * radius) return 0
      const r = (9 * h) / t
      if (r < result) result = r
      t += h < 0.02 * radius ? 0.02 * radius : h > 0.25 * radius ? 0.25 * radius : h
    }
    return result <= 0 ? 0 : result * result * (3 - 2 * result)
  }

  const data = new Uint8ClampedArray(side * side * 4)
  const normals = new Float32Array(side * side * 2)
  const furry = new Uint8Array(side * side)
  const found = new Float64Array(3)
  const ambientOf = [0, 1, 2].map((c) => [Math.max(light.ground[c]!, 92), Math.max(light.sky[c]!, 92)] as const)
  for (let py = 0; py < side; py++) {
    for (let px = 0; px < side; px++) {
      const u = (((px + 0.5) / side) * 2 - 1) * frame
      const v = -(((py + 0.5) / side) * 2 - 1) * frame
      let dx = fx + rx * u + ux * v
      let dy = fy + ry * u + uy * v
      if (isMirrored) {
        // Only where the ray meets the floor is there anything to mirror.
        if (dy > -0.01) continue
        dy = -dy
      }
      let dz = fz + rz * u + uz * v
      const inverse = 1 / Math.sqrt(dx * dx + dy * dy + dz * dz)
      dx *= inverse
      dy *= inverse
      dz *= inverse
      const qx = ox - bx
      const qy = oy - by
      const qz = oz - bz
      const b = qx * dx + qy * dy + qz * dz
      const discriminant = b * b - (qx * qx + qy * qy + qz * qz - radius * radius)
      if (discriminant <= 0) continue
      const root = Math.sqrt(discriminant)
      // A mirrored ray starts at the floor.
      let t = isMirrored ? Math.max(-b - root, (ground - oy) / dy) : -b - root
      const end = -b + root
      let isHit = false
      let nearest = 1e9
      let nearestAt = 0
      for (let step = 0; step < stepsMax && t < end; step++) {
        const h = distance(ox + dx * t, oy + dy * t, oz + dz * t)
        if (h < pixel * 0.35) { isHit = true; break }
        if (h < nearest) { nearest = h; nearestAt = t }
        t += h * 0.92
      }
      let coverage = 1
      if (!isHit) {
        // A ray that just missed covers part of its pixel: a smooth outline without more rays.
        if (nearest >= pixel) continue
        coverage = clamp(1 - (nearest - pixel * 0.35) / (pixel * 0.75))
        t = nearestAt
      }
      const X = ox + dx * t
      const Y = oy + dy * t
      const Z = oz + dz * t
      const e = pixel * 0.8
      const k1 = distance(X + e, Y - e, Z - e)
      const k2 = distance(X - e, Y - e, Z + e)
      const k3 = distance(X - e, Y + e, Z - e)
      const k4 = distance(X + e, Y + e, Z + e)
      let nx = k1 - k2 - k3 + k4
      let ny = -k1 - k2 + k3 + k4
      let nz = -k1 + k2 - k3 + k4
      let n = 1 / (Math.sqrt(nx * nx + ny * ny + nz * nz) || 1)
      nx *= n
      ny *= n
      nz *= n
      material(X, Y, Z, found)
      const first = found[0]!
      const made = materials[first]!
      let colour = typeof made.colour === 'function' ? made.colour(X, Y, Z) : made.colour
      if (found[2]! > 0.01) {
        const other = materials[found[1]!]!
        colour = mix(colour, typeof other.colour === 'function' ? other.colour(X, Y, Z) : other.colour, found[2]!)
      }
      const [bump, fine] = bumps[first]!
      if (bump > 0) {
        const p = fbm(X * fine + noise, Y * fine + Z * fine * 0.7, noise, 3) - 0.5
        const q = fbm(Z * fine + 9, Y * fine - X * fine * 0.7, noise + 3, 3) - 0.5
        nx += p * bump
        nz += q * bump
        ny += (p - q) * bump * 0.5
        n = 1 / Math.sqrt(nx * nx + ny * ny + nz * nz)
        nx *= n
        ny *= n
        nz *= n
      }
      const facing = clamp(-(nx * dx + ny * dy + nz * dz))
      const towards = nx * lx + ny * ly + nz * lz
      const wrap = made.isFur ? 0.35 : made.translucent ? 0.25 : 0
      const diffuse = clamp((towards + wrap) / (1 + wrap))
      let lit = diffuse > 0 ? shade(X + nx * 0.012 * radius, Y + ny * 0.012 * radius, Z + nz * 0.012 * radius, 2.2 * radius) : 1
      if (made.translucent) lit = lerp(lit, 1, 0.2)
      let hidden = 0
      let weight = 1
      for (let i = 1; i <= 4; i++) {
        const h = 0.045 * radius * i
        hidden += (h - distance(X + nx * h, Y + ny * h, Z + nz * h)) * weight
        weight *= 0.65
      }
      const open = clamp(1 - (7.8 * hidden) / radius)
      const lifted = solid.stands ? clamp(((Y - ground) / (radius * 0.35)) * 0.6 + 0.4) : 1
      const occlusion = open * lifted
      const rim = pow(1 - facing, 3)
      const sx = dx + 2 * facing * nx
      const sY = dy + 2 * facing * ny
      const sz = dz + 2 * facing * nz
      const hx = lx - dx
      const hy = ly - dy
      const hz = lz - dz
      const halfway = clamp((nx * hx + ny * hy + nz * hz) / (Math.sqrt(hx * hx + hy * hy + hz * hz) || 1))
      const gloss = 2 / pow(Math.max(0.08, made.roughness), 4) - 2
      const highlight = made.specular > 0.01 ? pow(halfway, Math.max(2, Math.min(900, gloss * 0.5))) * Math.min(4, gloss * 0.04 + 0.4) * made.specular * lit : 0
      const fresnel = made.specular * (0.06 + 0.94 * pow(1 - facing, 5)) * (1 - made.roughness * 0.85) + made.metal
      const mirrored = fresnel > 0.01 ? around(sx, sY, sz) : null
      const hemisphere = 0.5 + 0.5 * ny
      const at = (py * side + px) * 4
      for (let c = 0; c < 3; c++) {
        const own = colour[c]! / 255
        const base = own * own * (1 - made.metal)
        const key = light.colour[c]! / 255
        const ambient = lerp(ambientOf[c]![0], ambientOf[c]![1], hemisphere) / 255
        let o = base * (key * key * diffuse * lit * light.strength + ambient * ambient * occlusion * light.ambient + (made.translucent ? made.translucent * key * 0.12 * (1 - Math.abs(towards)) : 0))
        if (mirrored) {
          const m = mirrored[c]! / 255
          o += m * m * fresnel * (made.metal ? own * own : 1) * lerp(occlusion, 1, 0.35) * 1.2
        }
        o += highlight * key * key * 0.6
        o += (rim * (made.isFur ? 0.35 : 0.1) * (light.rim ? light.rim[c]! : ambient * 255) * occlusion * (made.isFur ? base * 2.2 + 0.05 : 1)) / 255
        o += made.glow * base
        // Highlights roll off like film rather than clip.
        o = (o * (1 + o * 0.12)) / (1 + o * 0.62)
        data[at + c] = Math.sqrt(o) * 255
      }
      // Glass shows itself at its rim and where it shines.
      const seen = made.clear ? 1 - made.clear(Y) * facing * (1 - clamp(highlight)) : 1
      data[at + 3] = coverage * seen * 255
      furry[py * side + px] = made.isFur ? 1 : 0
      normals[(py * side + px) * 2] = nx * rx + ny * ry + nz * rz
      normals[(py * side + px) * 2 + 1] = -(nx * ux + ny * uy + nz * uz)
    }
  }
  return { canvas: fromPixels(data, side, side), shadow: solid.stands && !isMirrored ? groundShadow() : null, normals, furry }

  function groundShadow(): Canvas {
    const small = Math.max(8, Math.floor((side * shadowReach) / 4))
    const wide = half * shadowReach
    const dark = new Uint8ClampedArray(small * small * 4)
    for (let py = 0; py < small; py++) {
      for (let px = 0; px < small; px++) {
        const u = (((px + 0.5) / small) * 2 - 1) * wide
        const v = -(((py + 0.5) / small) * 2 - 1) * wide
        const dx = fx + rx * u + ux * v
        const dy = fy + ry * u + uy * v
        const dz = fz + rz * u + uz * v
        if (dy > -0.01) continue
        const t = (ground - oy) / dy
        const X = ox + dx * t
        const Z = oz + dz * t
        const away = Math.sqrt((X - bx) ** 2 + (Z - bz) ** 2)
        if (away > radius * 2.2) continue
        const cast = 1 - shade(X, ground + 0.004 * radius, Z, 3 * radius)
        const contact = 1 - clamp(distance(X, ground + 0.05 * radius, Z) / (radius * 0.3))
        dark[(py * small + px) * 4 + 3] = clamp(cast * 0.55 + contact * contact * 0.62) * 255 * smooth(radius * 2.2, radius * 1.3, away)
      }
    }
    return blurCanvas(fromPixels(dark, small, small), 1.2)
  }
}
