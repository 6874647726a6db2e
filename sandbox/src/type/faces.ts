/**
 * Which font files a text needs, registered when first used.
 *
 * CJK alone is some 350 files: a picture opens only the ones its code points are in. Each file gets an alias of its
 * own, so two chunks of one family never shadow each other.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { GlobalFonts } from '../kernel/canvas.ts'

export type Face = 'display' | 'sans' | 'body' | 'serif' | 'deco' | 'neon' | 'script' | 'marker' | 'roman' | 'cond' | 'pixel'

interface Chunk { file: string; ranges: [number, number][] }

const families: Record<Face, string> = {
  display: 'anton-400',
  sans: 'inter-700',
  body: 'inter-400',
  serif: 'playfair-display-700',
  deco: 'limelight-400',
  neon: 'monoton-400',
  script: 'pacifico-400',
  marker: 'permanent-marker-400',
  roman: 'cinzel-700',
  cond: 'oswald-700',
  pixel: 'press-start-2p-400',
}

const scripts: { pattern: RegExp; family: string }[] = [
  { pattern: /\p{Script=Arabic}/u, family: 'noto-sans-arabic-700' },
  { pattern: /\p{Script=Hebrew}/u, family: 'noto-sans-hebrew-700' },
  { pattern: /\p{Script=Devanagari}/u, family: 'noto-sans-devanagari-700' },
  { pattern: /\p{Script=Bengali}/u, family: 'noto-sans-bengali-700' },
  { pattern: /\p{Script=Tamil}/u, family: 'noto-sans-tamil-700' },
  { pattern: /\p{Script=Thai}/u, family: 'noto-sans-thai-700' },
  { pattern: /[^\s\u0020-\u02ff\u2000-\u20cf]/u, family: 'noto-sans-700' },
]

const folder = fileURLToPath(new URL('../../assets/', import.meta.url))
let index: Record<string, Chunk[]> | undefined
const registered = new Set<string>()

/** The CSS family list that can draw every character of `text` that we have a glyph for, the asked face first. */
export function familyList(face: Face, text: string): string {
  const list = chunksFor(families[face], `${text} `)
  for (const { pattern, family } of scripts) if (pattern.test(text)) list.push(...chunksFor(family, text))
  for (const family of hanFamilies(text)) list.push(...chunksFor(family, text))
  if (list.length === 0) list.push(...chunksFor('inter-700', 'Aa '))
  return list.map((alias) => `"${alias}"`).join(', ')
}

/** Han characters are drawn as the script around them suggests: kana → Japanese, hangul → Korean, else Chinese. */
function hanFamilies(text: string): string[] {
  if (!/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303f\uff00-\uffef]/u.test(text)) return []
  const [simplified, japanese, korean] = ['noto-sans-sc-700', 'noto-sans-jp-700', 'noto-sans-kr-700']
  if (/[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(text)) return [japanese, simplified, korean]
  return /\p{Script=Hangul}/u.test(text) ? [korean, simplified, japanese] : [simplified, japanese, korean]
}

function chunksFor(family: string, text: string): string[] {
  index ??= JSON.parse(readFileSync(`${folder}fonts.json`, 'utf8')) as Record<string, Chunk[]>
  const wanted = new Set<Chunk>()
  for (const character of text) {
    const code = character.codePointAt(0)!
    const chunk = index[family]!.find(({ ranges }) => ranges.some(([first, last]) => code >= first && code <= last))
    if (chunk) wanted.add(chunk)
  }
  return [...wanted].map(({ file }) => {
    const alias = `plantain ${file.replace('.woff2', '').replace('/', ' ')}`
    if (!registered.has(alias)) {
      registered.add(alias)
      GlobalFonts.registerFromPath(`${folder}fonts/${file}`, alias)
    }
    return alias
  })
}
