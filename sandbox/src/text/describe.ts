/**
 * Describes a picture from what can be measured, and, of a picture this renderer drew, from what it says about itself.
 *
 * It sees nothing: of a foreign picture it tells shape, colours and light, and says that this is all it can tell.
 */
import sharp from 'sharp'
import { RenderError } from '../contract.ts'
import { understood } from '../plan/plan.ts'
import { readPrompt, readRecipe, type Recipe } from '../provenance.ts'

export interface Seen {
  width: number
  height: number
  orientation: 'square' | 'landscape' | 'portrait'
  /** Names of the colours that cover most of it, the largest first. */
  colours: string[]
  light: 'dark' | 'bright' | null
  transparent: boolean
  recipe: Recipe | null
  prompt: string | null
}

export type Length = 'short' | 'medium' | 'long'

/** Side of the small copy the colours are counted on. */
const sample = 48

/** @throws {RenderError} for bytes that are no picture */
export async function look(bytes: Uint8Array): Promise<Seen> {
  try {
    const source = sharp(bytes, { limitInputPixels: 16_384 * 16_384, failOn: 'error' })
    const { xmp, width, height, orientation = 1 } = await source.metadata()
    const { data } = await source.autoOrient().resize({ width: sample, height: sample, fit: 'fill' }).toColourspace('srgb').ensureAlpha().raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
    const [wide, high] = orientation >= 5 ? [height, width] : [width, height]
    const packet = xmp?.toString('utf8')
    return {
      width: wide, height: high, orientation: Math.abs(wide - high) / Math.max(wide, high) < 0.03 ? 'square' : wide > high ? 'landscape' : 'portrait',
      ...count(data), recipe: readRecipe(packet), prompt: readPrompt(packet),
    }
  } catch (cause) {
    throw new RenderError('One of the pictures could not be read as PNG, JPEG or WebP.', { cause })
  }
}

function count(data: Buffer): Pick<Seen, 'colours' | 'light' | 'transparent'> {
  const counts = new Map<string, number>()
  let luma = 0
  let clear = 0
  let solid = 0
  for (let at = 0; at < data.length; at += 4) {
    const [red, green, blue, alpha] = [data[at]!, data[at + 1]!, data[at + 2]!, data[at + 3]!]
    if (alpha < 128) { clear++; continue }
    solid++
    luma += 0.2126 * red + 0.7152 * green + 0.0722 * blue
    const name = nameOf(red, green, blue)
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  const mean = solid === 0 ? 128 : luma / solid
  return {
    colours: [...counts].filter(([, times]) => times / solid > 0.08).sort(([one, times], [other, others]) => others - times || (one < other ? -1 : 1)).slice(0, 3).map(([name]) => name),
    light: mean < 70 ? 'dark' : mean > 185 ? 'bright' : null,
    transparent: clear / (clear + solid) > 0.02,
  }
}

const hues: [to: number, name: string][] = [[15, 'red'], [42, 'orange'], [68, 'yellow'], [160, 'green'], [195, 'turquoise'], [255, 'blue'], [290, 'violet'], [340, 'pink'], [360, 'red']]

function nameOf(red: number, green: number, blue: number): string {
  const max = Math.max(red, green, blue)
  const min = Math.min(red, green, blue)
  const lightness = (max + min) / 510
  const spread = max - min
  if (lightness < 0.1) return 'black'
  if (spread < 26) return lightness > 0.9 ? 'white' : lightness < 0.25 ? 'black' : 'grey'
  if (lightness > 0.93) return 'white'
  const sector = max === red ? ((green - blue) / spread + 6) % 6 : max === green ? (blue - red) / spread + 2 : (red - green) / spread + 4
  const hue = hues.find(([to]) => sector * 60 < to)![1]
  if (hue === 'orange' && lightness < 0.42) return 'brown'
  return hue
}

const listOf = (words: string[]): string => words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
const begin = (text: string): string => text === '' ? '' : text[0]!.toUpperCase() + text.slice(1)

/** What a picture of ours shows, by the plan it was drawn from. */
function shown({ plan }: Recipe): string {
  const { kind, subjects, setting, time, texts, style } = understood(plan)
  const what = subjects.length > 0 ? listOf(subjects) : kind === 'scene' ? 'a view' : ''
  const named = kind === 'scene' ? what : `${kind}${what === '' ? '' : ` with ${what}`}`
  return [named, setting, time, ...(texts.length > 0 ? [`saying ${texts.map(text => `“${text}”`).join(' and ')}`] : []), ...(style && style !== 'photo' ? [`${style} style`] : [])].filter(Boolean).join(', ')
}

const blind = 'What it shows cannot be told: this is the sandbox, which measures pictures and does not see them.'

/** A picture in words. */
export function describe(seen: Seen, length: Length): string {
  const { width, height, orientation, colours, light, transparent, recipe, prompt } = seen
  const look = [colours.length > 0 ? `mostly ${listOf(colours)}` : '', light ?? ''].filter(Boolean).join(', ')
  const subject = recipe ? shown(recipe) : prompt !== null ? `a picture drawn from the words “${prompt}”` : ''
  const measured = `${begin(orientation)} picture of ${width} × ${height} pixels${look ? `, ${look}` : ''}${transparent ? ', partly transparent' : ''}.`
  if (length === 'short') return subject === '' ? `A ${orientation} picture${look ? `, ${look}` : ''}.` : `${begin(subject)}${look ? `; ${look}` : ''}.`
  const first = subject === '' ? measured : `${begin(subject)}. ${measured}`
  const origin = recipe || prompt !== null ? 'It was drawn by the sandbox renderer.' : blind
  if (length === 'medium') return subject === '' ? `${first} ${origin}` : first
  const asked = prompt === null ? '' : ` It was asked for as: “${prompt}”.`
  return `${first} ${origin}${asked}`
}
