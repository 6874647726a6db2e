/** What Google's film models take beside words and pictures. Pure; of its picture models `toolkit/google.ts` knows it. */
import type { Json } from '../../domain/outcome.ts'
import { nothing, unheard, when } from '../toolkit.ts'
import type { Handling } from '../toolkit.ts'
import { seed } from '../toolkit/google.ts'

/** Films: `:predictLongRunning` of the Veo family. */
export const filmHandlings: Record<string, Handling> = {
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
