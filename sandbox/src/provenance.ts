/**
 * What a picture says about itself: EXIF and XMP, written and read back.
 *
 * No times and nothing random in it, so that the same request gives the same bytes. The recipe lets a later edit draw
 * the very layers again; it is somebody else's input by then, so `readRecipe` trusts none of it.
 */
import type { Plan } from './plan/plan.ts'
import { rendererVersion } from './contract.ts'

/** How to draw a picture again: its plan, and the plan of another background where an edit put one behind. */
export interface Recipe {
  plan: Plan
  backdrop: Plan | null
}

export type SourceType = 'algorithmicMedia' | 'compositeSynthetic' | 'algorithmicallyEnhanced'

export interface Provenance {
  sourceType: SourceType
  seed: number
  taskId?: string | undefined
  /** Absent where the caller keeps it private; then the recipe goes without it too. */
  prompt?: string | undefined
  recipe?: Recipe | undefined
}

const creatorTool = 'Plantain sandbox-1'
const namespace = 'https://plantain.invalid/ns/sandbox/1/'
/** A JPEG segment holds 64 KB; a larger packet would be split where some readers do not look. */
const packetMaxBytes = 60_000
const promptMaxLength = 4_000

export function writeXmp({ sourceType, seed, taskId, prompt, recipe }: Provenance): string {
  const fields = [
    ['xmp:CreatorTool', creatorTool],
    ['Iptc4xmpExt:DigitalSourceType', `http://cv.iptc.org/newscodes/digitalsourcetype/${sourceType}`],
    ['plantain:RendererVersion', rendererVersion],
    ['plantain:Seed', String(seed)],
    ...(taskId ? [['plantain:TaskId', taskId]] : []),
  ]
  const plan = recipe && JSON.stringify(prompt === undefined ? withoutPrompt(recipe) : recipe)
  const packet = (withPlan: boolean) => [
    '<?xpacket begin="\uFEFF" id="W5M0MpCehiHzreSzNTczkc9d"?>',
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">',
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"',
    ` xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:plantain="${namespace}">`,
    ...fields.map(([name, value]) => `<${name}>${escapeXml(value!)}</${name}>`),
    ...(prompt ? [`<dc:description><rdf:Alt><rdf:li xml:lang="x-default">${escapeXml(prompt.slice(0, promptMaxLength))}</rdf:li></rdf:Alt></dc:description>`] : []),
    ...(plan && withPlan ? [`<plantain:Plan>${escapeXml(plan)}</plantain:Plan>`] : []),
    '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>',
  ].join('')
  const whole = packet(true)
  return Buffer.byteLength(whole) <= packetMaxBytes ? whole : packet(false)
}

export function writeExif({ prompt }: Provenance): { IFD0: Record<string, string> } {
  // EXIF text is ASCII by its rules; what is not lives in the XMP.
  const description = prompt?.slice(0, promptMaxLength).replaceAll(/[^\x20-\x7e]+/g, ' ').trim()
  return { IFD0: { Software: `${creatorTool} (${rendererVersion})`, ...(description ? { ImageDescription: description } : {}) } }
}

/** The words of the prompt live on in the plan: all that is not drawn goes. */
function withoutPrompt({ plan, backdrop }: Recipe): Recipe {
  const bare = (each: Plan): Plan => ({ ...each, prompt: '', unmatched: [] })
  return { plan: bare(plan), backdrop: backdrop && bare(backdrop) }
}

/** The recipe inside a picture of ours, or null: none there, another version's, or not of the expected shape. */
export function readRecipe(xmp: string | undefined): Recipe | null {
  if (!xmp || field(xmp, 'plantain:RendererVersion') !== rendererVersion) return null
  const text = field(xmp, 'plantain:Plan')
  if (!text || text.length > packetMaxBytes) return null
  try {
    const { plan, backdrop } = JSON.parse(text) as Recipe
    if (!isPlan(plan) || (backdrop !== null && !isPlan(backdrop))) return null
    return { plan, backdrop }
  } catch {
    return null
  }
}

/** Whether a file says that this renderer drew it. Its word: anybody can write that. */
export const isOurs = (xmp: string | undefined): boolean => xmp?.includes(`<xmp:CreatorTool>${creatorTool}</xmp:CreatorTool>`) ?? false

/** The prompt a picture of ours was drawn from, where it was not kept private. */
export function readPrompt(xmp: string | undefined): string | null {
  const text = isOurs(xmp) ? /<rdf:li xml:lang="x-default">([\s\S]*?)<\/rdf:li>/.exec(xmp!)?.[1] : undefined
  return text === undefined ? null : unescapeXml(text).slice(0, promptMaxLength)
}

function field(xmp: string, name: string): string | null {
  const found = new RegExp(`<${name}>([\\s\\S]*?)</${name}>`).exec(xmp)
  return found ? unescapeXml(found[1]!) : null
}

const textFields = ['kind', 'prompt', 'setting', 'time', 'style', 'lettering', 'camera'] as const
const listFields = ['texts', 'weather', 'features', 'steps', 'unmatched'] as const

/** Enough of a check that drawing it costs no more than drawing one of ours. */
function isPlan(value: unknown): value is Plan {
  if (typeof value !== 'object' || value === null) return false
  const plan = value as Record<string, unknown>
  const isShort = (each: unknown) => typeof each === 'string' && each.length <= promptMaxLength
  return textFields.every((name) => isShort(plan[name]))
    && listFields.every((name) => Array.isArray(plan[name]) && plan[name].length <= 40 && plan[name].every(isShort))
    && Number.isSafeInteger(plan['seed']) && Array.isArray(plan['subjects']) && plan['subjects'].length <= 6
    && plan['subjects'].every((each) => typeof each === 'object' && each !== null && isShort((each as { kind: unknown }).kind))
}

const escapeXml = (text: string) => text
  // XML 1.0 has no way to write these at all.
  .replaceAll(/[^\P{Cc}\t\n\r]|[\ufffe\uffff]/gu, '')
  .toWellFormed()
  .replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

const unescapeXml = (text: string) => text
  .replaceAll('&quot;', '"').replaceAll('&gt;', '>').replaceAll('&lt;', '<').replaceAll('&amp;', '&')
