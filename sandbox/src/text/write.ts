/**
 * The sandbox's text maker: translates by a table of phrases, rewrites by rules, describes a picture from what it measures.
 *
 * No model, no network, no clock: the same request gives the same text. Where it does not know, it says so in the text (`[de] …`,
 * `[unchanged] …`, `[sandbox] …`) and never makes something up.
 */
import { readAsked, type Asked } from './asked.ts'
import { describe, look } from './describe.ts'
import { rewrite } from './rewrite.ts'
import { translate } from './translate.ts'

export interface TextRequest {
  prompt: string
  system?: string
  /** Encoded pictures, in the order the prompt speaks of them. */
  pictures: Uint8Array[]
  /** How long the answer may become; a token is four characters here. */
  tokensMax: number
}

export interface WrittenText {
  text: string
  finish: 'stop' | 'length'
  tokens: { textIn: number; imageIn: number; textOut: number }
  /** What it took the request for, and the parts it had no rule for. */
  understood: { task: Asked['task']; unknown: string[] }
}

const tokensOf = (text: string): number => Math.ceil(text.length / 4)
/** As Google counts a small picture. */
const pictureTokens = 258
/** How much of a prompt that was not understood is said back. */
const echoMax = 400

const moods = ['in morning light', 'at dusk', 'in the rain', 'from above', 'in close-up', 'on white', 'in autumn', 'by the sea', 'in the city', 'at night']

/** @throws {RenderError} for a picture that cannot be read */
export async function write({ prompt, system, pictures, tokensMax }: TextRequest): Promise<WrittenText> {
  const asked = readAsked({ prompt, ...(system === undefined ? {} : { system }), pictures: pictures.length })
  const { text, unknown = [] } = await answer(asked, pictures)
  const charactersMax = tokensMax * 4
  const isWhole = text.length <= charactersMax
  const kept = isWhole ? text : text.slice(0, charactersMax).toWellFormed()
  return {
    text: kept, finish: isWhole ? 'stop' : 'length',
    tokens: { textIn: tokensOf(prompt) + tokensOf(system ?? ''), imageIn: pictures.length * pictureTokens, textOut: tokensOf(kept) },
    understood: { task: asked.task, unknown: unknown.slice(0, 20).map(one => one.slice(0, 200).toWellFormed()) },
  }
}

async function answer(asked: Asked, pictures: Uint8Array[]): Promise<{ text: string; unknown?: string[] }> {
  switch (asked.task) {
    case 'translate': return translate(asked.text, asked.target)
    case 'rewrite': {
      const { text, done } = rewrite(asked.text, asked.instruction)
      return { text, unknown: done.length === 0 ? [asked.instruction] : [] }
    }
    case 'describe': {
      const described = await Promise.all(pictures.map(async bytes => describe(await look(bytes), asked.length)))
      return { text: described.length === 1 ? described[0]! : described.map((one, index) => `${index + 1}. ${one}`).join('\n') }
    }
    case 'say': return { text: asked.text }
    case 'name': return { text: asked.topic.replace(/\p{L}[\p{L}'’]*/gu, word => word[0]!.toUpperCase() + word.slice(1)) }
    case 'list': return { text: Array.from({ length: asked.count }, (_, index) => `${asked.topic} ${moods[index % moods.length]}`).join('\n') }
    case 'plain': return { text: `[sandbox] No language model is at work here. Asked was: ${asked.text.length > echoMax ? `${asked.text.slice(0, echoMax).toWellFormed()}…` : asked.text}`, unknown: [asked.text] }
  }
}
