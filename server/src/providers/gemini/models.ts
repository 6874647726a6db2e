/** What each of Google's picture models takes beside words and pictures. Pure. */
import type { Json } from '../../domain/outcome.ts'
import { nothing, only, unheard, when, words } from '../toolkit.ts'
import type { Handling } from '../toolkit.ts'

/** Parts of `generationConfig` a parameter becomes; `imageConfig` and the newer `responseFormat` are put together by `wire.ts`. */
const ratios = words('1:1', '2:3', '3:2', '3:4', '4:3', '4:5', '5:4', '9:16', '16:9', '21:9')
const longRatios = { ...ratios, ...words('1:4', '4:1', '1:8', '8:1') }

/** Left out, the first picture's ratio is taken, or 1:1 without one: what `auto` means here. */
const ratio = (allowed: Record<string, Json>): Handling => value => value === 'auto' ? {} : String(value) in allowed ? { send: { aspectRatio: value } } : { refused: ['auto', ...Object.keys(allowed)] }
const size = (...allowed: string[]): Handling => value => allowed.includes(String(value)) ? { send: { imageSize: value } } : { refused: allowed }
/** PNG is what comes by itself. */
const format: Handling = value => value === 'png' ? {} : value === 'jpeg' ? { send: { mimeType: 'image/jpeg' } } : { refused: ['png', 'jpeg'] }
const seed: Handling = value => ({ send: { seed: value } })
const search: Handling = when(false, nothing, () => ({ send: { search: true } }))
const noSearch = only(false)

type Handlings = Record<string, Handling>

/** The newest rules, for names nobody here knows yet. */
const newest: Handlings = { aspect_ratio: ratio(longRatios), resolution: size('512', '1K', '2K', '4K'), output_format: format, seed, google_search: search }

const models: [name: RegExp, handlings: Handlings][] = [
  [/^gemini-2\.5-flash-image/, { aspect_ratio: ratio(ratios), resolution: only('1K'), output_format: format, seed, google_search: noSearch }],
  [/^(gemini-3-pro-image|nano-banana-pro)/, { ...newest, aspect_ratio: ratio(ratios), resolution: size('1K', '2K', '4K') }],
  // Always 1K, and a 400 for who says so.
  [/^gemini-3\.1-flash-lite-image/, { ...newest, resolution: only('1K') }],
  [/^gemini-3\.1-flash-image/, newest],
  [/^gemini-nano-banana-2\.1/, { ...newest, resolution: size('1K', '2K', '4K') }],
]

/** Characters of prompt and history that fit, at four to a token: 32,768 tokens (2.5), 131,072 (3 Pro) and 65,536 (3.1) by gemini.md; others are not known. */
const contexts: [name: RegExp, charactersMax: number][] = [[/^gemini-2\.5-flash-image/, 131_072], [/^(gemini-3-pro-image|nano-banana-pro)/, 524_288], [/^gemini-3\.1-flash/, 262_144]]
export const charactersMaxOf = (model: string): number => contexts.find(([name]) => name.test(model))?.[1] ?? Infinity

export const handlingsOf = (model: string): Handlings => models.find(([name]) => name.test(model))?.[1] ?? newest

/** Films: `:predictLongRunning` of the Veo family. */
export const filmHandlings: Handlings = {
  aspect_ratio: value => value === '16:9' || value === '9:16' ? { send: { aspectRatio: value } } : { refused: ['16:9', '9:16'] },
  resolution: value => ({ '720p': { send: { resolution: '720p' } }, '1080p': { send: { resolution: '1080p' } }, '4K': { send: { resolution: '4k' } } })[String(value)] ?? { refused: ['720p', '1080p', '4K'] },
  duration_s: (value, name, { parameters, inputs }) => {
    const needsEight = parameters.resolution !== undefined && parameters.resolution !== '720p' || inputs.some(({ role }) => role === 'reference' || role === 'style')
    const allowed: Json[] = needsEight ? [8] : [4, 6, 8]
    return allowed.includes(value) ? { send: { durationSeconds: value } } : { refused: allowed }
  },
  negative_prompt: value => ({ send: { negativePrompt: value } }),
  seed,
  sound: when(true, nothing, unheard('films of this family always have sound.')),
}

export const isFilm = (model: string): boolean => model.startsWith('veo-')
