/** Pictures the tests bring, and what they look at in the answers. */
import sharp from 'sharp'
import type { InputPicture, RenderRequest, Rendering, Role } from '../src/contract.ts'
import { render } from '../src/index.ts'

export interface Pixels { data: Uint8Array; width: number; height: number }

export async function pixelsOf(bytes: Uint8Array): Promise<Pixels> {
  const { data, info } = await sharp(bytes).ensureAlpha().raw().toBuffer({ resolveWithObject: true })
  return { data, width: info.width, height: info.height }
}

export function pixelAt({ data, width }: Pixels, x: number, y: number): [number, number, number, number] {
  const i = (y * width + x) * 4
  return [data[i]!, data[i + 1]!, data[i + 2]!, data[i + 3]!]
}

/** A foreign photo: a disc on a plain ground, drawn by sharp so that nothing of ours is in it. */
export async function disc(side = 160, { ground = '#e8e8ea', colour = '#c02020' } = {}): Promise<Uint8Array> {
  return svg(side, side, `<rect width="100%" height="100%" fill="${ground}"/><circle cx="${side / 2}" cy="${side / 2}" r="${side * 0.27}" fill="${colour}"/>`)
}

export const svg = async (width: number, height: number, body: string): Promise<Uint8Array> =>
  sharp(Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${body}</svg>`)).png().toBuffer()

export const as = (bytes: Uint8Array, role: Role = 'reference'): InputPicture => ({ bytes, role })

export const edit = (prompt: string, inputs: InputPicture[], more: Partial<RenderRequest> = {}): Promise<Rendering> =>
  render({ operation: 'edit', prompt, inputs, format: 'png', seed: 3, ...more })

export const generate = (prompt: string, more: Partial<RenderRequest> = {}): Promise<Rendering> =>
  render({ operation: 'generate', prompt, inputs: [], format: 'png', seed: 3, width: 160, height: 160, ...more })

/** How many of the pixels differ by more than a few levels. */
export function changedShare(a: Pixels, b: Pixels, within: (x: number, y: number) => boolean = () => true): number {
  let changed = 0
  let count = 0
  for (let y = 0; y < a.height; y++) for (let x = 0; x < a.width; x++) {
    if (!within(x, y)) continue
    const i = (y * a.width + x) * 4
    count++
    if ([0, 1, 2, 3].some((channel) => Math.abs(a.data[i + channel]! - b.data[i + channel]!) > 6)) changed++
  }
  return changed / count
}
