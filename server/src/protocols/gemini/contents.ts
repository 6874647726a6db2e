/**
 * Reads a conversation, and what of it goes to the model. Pure.
 *
 * Models behind this house are asked once, with words and pictures. A conversation becomes that like this: the last picture the
 * model made carries everything said before it, so only what came after goes along with it. Without such a picture all words go, in
 * their order. What is left out is said in a warning.
 */
import type { Role } from '../../domain/order.ts'
import { cannot, isObject, join, list, no, oneOf, readFields, text } from './fields.ts'
import { assetIn, isOurs } from './signature.ts'

/** A picture as it stands in a body: where, and what stands there. */
export interface Picture {
  field: string
  role: Role
  source: { data: string } | { uri: string } | { assetId: string }
  /** The asset our own signature names; what stands in `source` is used where that is gone, or another picture came. */
  signed?: string
}

export interface Turn { role: 'user' | 'model'; words: string[]; pictures: Picture[] }

export interface Conversation {
  prompt: string
  pictures: Picture[]
  warnings: string[]
  /** Signatures that are not ours. */
  foreign: string[]
}

const partFields = ['text', 'inlineData', 'fileData', 'functionCall', 'functionResponse', 'executableCode', 'codeExecutionResult', 'toolCall', 'toolResponse',
  'thought', 'thoughtSignature', 'mediaResolution', 'videoMetadata', 'partMetadata']
const unknownHere: Record<string, string> = {
  functionCall: 'function calls', functionResponse: 'function calls', executableCode: 'code', codeExecutionResult: 'code', toolCall: 'tools', toolResponse: 'tools',
}

/** @throws {Problem} `bad_request` */
export function readContents(value: unknown, systemInstruction: unknown): Conversation {
  const foreign: string[] = []
  const contents = isObject(value) ? [value] : value === undefined ? [] : list(value, 'contents')
  if (contents.length === 0) throw no('contents', 'contents is not specified. Send at least one content with a text part.')
  const turns = contents.map((content, index) => readContent(content, `contents[${index}]`, foreign))
  if (turns.at(-1)!.role !== 'user') throw no('contents', 'Please ensure that multiturn requests end with a user turn.')
  const system = systemInstruction === undefined ? null : readContent(systemInstruction, 'systemInstruction', foreign, true)
  if (system && system.pictures.length > 0) throw cannot(system.pictures[0]!.field, 'systemInstruction may hold text only.')
  return { ...flatten(turns, system?.words ?? []), foreign }
}

function readContent(value: unknown, place: string, foreign: string[], isSystem = false): Turn {
  // As the SDKs take it: bare text is a part.
  const fields = readFields(typeof value === 'string' ? { parts: [{ text: value }] } : value, place, ['role', 'parts'])
  const role = fields.role === undefined || fields.role === '' || isSystem ? 'user' : oneOf(fields.role, join(place, 'role'), ['user', 'model'] as const)
  const turn: Turn = { role, words: [], pictures: [] }
  const parts = fields.parts === undefined ? [] : isObject(fields.parts) ? [fields.parts] : list(fields.parts, join(place, 'parts'))
  for (const [index, part] of parts.entries()) readPart(part, `${join(place, 'parts')}[${index}]`, turn, foreign)
  return turn
}

function readPart(value: unknown, place: string, turn: Turn, foreign: string[]): void {
  const part = readFields(typeof value === 'string' ? { text: value } : value, place, partFields)
  for (const [name, what] of Object.entries(unknownHere)) {
    if (part[name] !== undefined) throw cannot(join(place, name), `${join(place, name)}: this model knows no ${what}. Send text and pictures.`)
  }
  const signature = part.thoughtSignature === undefined ? null : text(part.thoughtSignature, join(place, 'thoughtSignature'))
  if (signature && !isOurs(signature)) foreign.push(signature)
  // Drafts and thoughts are the model's own; it is not shown them again.
  if (part.thought === true) return
  const kinds = ['text', 'inlineData', 'fileData'].filter(name => part[name] !== undefined)
  if (kinds.length > 1) throw no(place, `${place} may have one of text, inlineData and fileData, not ${kinds.join(' and ')}.`)
  if (kinds.length === 0 && signature === null) throw no(place, `${place} must have one of text, inlineData and fileData.`)
  if (part.text !== undefined) turn.words.push(text(part.text, join(place, 'text')))
  const signed = signature === null ? null : assetIn(signature)
  if (part.inlineData !== undefined) turn.pictures.push(readInline(part.inlineData, join(place, 'inlineData'), signed))
  else if (part.fileData !== undefined) turn.pictures.push(readFile(part.fileData, join(place, 'fileData'), signed))
  // A picture that was left out to save bytes: its signature stands for it.
  else if (part.text === undefined && signed !== null) turn.pictures.push({ field: join(place, 'thoughtSignature'), role: 'reference', source: { assetId: signed } })
}

function readInline(value: unknown, place: string, signed: string | null): Picture {
  const { mimeType, data } = readFields(value, place, ['mimeType', 'data', 'displayName'])
  const bytes = data === undefined ? '' : text(data, join(place, 'data'))
  if (mimeType !== undefined && !/^[a-z]+\/[a-z0-9.+*-]+$/i.test(text(mimeType, join(place, 'mimeType')))) throw no(join(place, 'mimeType'), `${join(place, 'mimeType')} must be a media type, as in image/png.`)
  if (bytes === '') {
    if (signed !== null) return { field: place, role: 'reference', source: { assetId: signed } }
    throw no(join(place, 'data'), `${join(place, 'data')} is empty. Send the picture as base64.`)
  }
  return { field: place, role: 'reference', source: { data: bytes }, ...(signed === null ? {} : { signed }) }
}

function readFile(value: unknown, place: string, signed: string | null): Picture {
  const { mimeType, fileUri } = readFields(value, place, ['mimeType', 'fileUri', 'displayName'])
  if (mimeType !== undefined) text(mimeType, join(place, 'mimeType'))
  return { field: place, role: 'reference', source: { uri: readUri(fileUri, join(place, 'fileUri')) }, ...(signed === null ? {} : { signed }) }
}

/** A link, or the name of a file of ours. @throws {Problem} `bad_request` */
export function readUri(value: unknown, place: string): string {
  const uri = value === undefined ? '' : text(value, place).trim()
  if (uri === '') throw no(place, `${place} is missing. Give a link to a picture.`)
  if (/^gs:\/\//i.test(uri)) throw cannot(place, `${place}: Cloud Storage is not read here. Give an https link, or send the picture inline.`, { value: uri.slice(0, 100) })
  if (uri.length > 4_096 || !(/^https?:\/\/[^\s]+$/i.test(uri) && URL.canParse(uri) || /^files\/[a-z0-9-]{1,64}$/.test(uri))) {
    throw no(place, `${place} must be an https link or the name of a file (files/…).`, { value: uri.slice(0, 100) })
  }
  return uri
}

/** The id of an asset in `files/<id>` or in an address of this door's own files; null for any other. */
export const fileIn = (uri: string): string | null => /^(?:https?:\/\/[^/]+\/(?:.*\/)?v1(?:beta|alpha)?\/)?files\/([0-9a-f]{32})(?::download)?(?:\?[^#]*)?$/i.exec(uri)?.[1]?.toLowerCase() ?? null

/** Words and pictures of a conversation as one order. */
export function flatten(said: Turn[], system: string[]): Omit<Conversation, 'foreign'> {
  const turns = joined(said)
  const last = turns.findLastIndex(turn => turn.role === 'model' && turn.pictures.length > 0)
  const since = turns.slice(last + 1)
  const made = last < 0 ? [] : turns[last]!.pictures
  const warnings: string[] = []
  if (turns.slice(0, Math.max(0, last)).some(turn => turn.words.some(word => word.trim() !== '') || turn.pictures.length > 0)) {
    warnings.push('What came before the last picture of the conversation was not sent again: the picture carries it.')
  }
  // The model's own words matter only where they are part of what the user answers to.
  const isTalk = since.some(turn => turn.role === 'model' && turn.words.some(word => word.trim() !== ''))
  const words = since.map(turn => {
    const text = turn.words.filter(word => word.trim() !== '').join('\n')
    return text === '' || !isTalk ? text : `${turn.role === 'model' ? 'Model' : 'User'}: ${text}`
  })
  return {
    prompt: [...system.filter(word => word.trim() !== ''), ...words].filter(word => word !== '').join('\n\n'),
    pictures: [...made, ...since.flatMap(turn => turn.pictures)],
    warnings,
  }
}

/** Clients that stream keep each chunk as a content of its own; together they are one turn. */
const joined = (turns: Turn[]): Turn[] => turns.reduce<Turn[]>((all, turn) => {
  const last = all.at(-1)
  if (last?.role !== turn.role) return [...all, { ...turn }]
  return [...all.slice(0, -1), { role: turn.role, words: [...last.words, ...turn.words], pictures: [...last.pictures, ...turn.pictures] }]
}, [])
