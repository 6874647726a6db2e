/**
 * Builds `assets/lexicon.json.br`: nouns in 23 languages → the icon that draws them.
 *
 * English: exact emoji names and the hand list. Other languages: CLDR's exact names, then keywords that the name of the
 * icon itself contains ("狗" in "狗脸"), never the loose ones.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { aliases, falseFriends, wanted, withheld } from './aliases.ts'

interface Emoji { hexcode: string; label: string; group?: number }
interface Annotation { default?: string[]; tts?: string[] }

const languages = ['zh', 'zh-Hant', 'ar', 'hi', 'ja', 'ko', 'es', 'fr', 'de', 'pt', 'ru', 'it', 'tr', 'id', 'vi', 'th', 'bn', 'fa', 'he', 'nl', 'pl', 'uk']
/** Emoji groups that hold things: animals, food, places, activities, objects. */
const thingGroups = new Set([3, 4, 5, 6, 7])
/** CLDR names colours as "red circle"; the planner reads them so, in every language. */
const latin = /^[\p{Script=Latin}\s'’-]+$/u

const misleading = new Set('服务 服務 日本 向下 向上 高压 高壓 芸術 運動 运动 实验 實驗 離陸 起飛 起飞 电影 枯萎 倒 动物 動物 食物 食品 植物 水果 蔬菜 自然 どうぶつ 食べ物 果物 野菜 動物の顔 동물 음식 과일 животное еда фрукт حيوان طعام فاكهة जानवर खाना फल'.split(' '))

export const codePointOf = (text: string) =>
  [...text].map((character) => character.codePointAt(0)!.toString(16)).filter((code) => code !== 'fe0f').join('-')

export function buildLexicon(packages: string, icons: Record<string, string>) {
  const emoji = JSON.parse(readFileSync(join(packages, 'emojibase-data/en/compact.json'), 'utf8')) as Emoji[]
  const words: Record<string, string> = {}
  const names: Record<string, string> = {}
  const byName = new Map<string, string>()
  const things = new Set<string>()
  /** Animals, plants and food: here a keyword that few icons share is a synonym, not an association. */
  const living = new Set<string>()
  for (const { hexcode, label, group } of emoji) {
    const codePoint = hexcode.toLowerCase().replaceAll(/-?fe0f/g, '')
    if (!icons[codePoint]) continue
    names[codePoint] = label
    byName.set(label.toLowerCase(), codePoint)
    if (group === undefined || !thingGroups.has(group)) continue
    if (/o’clock|thirty|oncoming|postbox|tray|globe with|face$/.test(label) && !/^(dog|cat|cow|pig|mouse|rabbit|tiger|horse|monkey|dragon) face$/.test(label)) continue
    if (!withheld.has(label.toLowerCase())) {
      things.add(codePoint)
      if (group === 3 || group === 4) living.add(codePoint)
      words[label.toLowerCase()] = codePoint
    }
  }
  const missing: string[] = []
  for (const [word, name] of [...Object.entries(aliases), ...Object.entries(wanted)]) {
    const codePoint = byName.get(name.toLowerCase())
    if (!codePoint) {
      missing.push(`${word} (${name})`)
      continue
    }
    words[word.replaceAll('_', ' ')] = codePoint
    if (thingGroups.has(emoji.find(({ label }) => label.toLowerCase() === name.toLowerCase())?.group ?? -1)) things.add(codePoint)
  }
  if (missing.length) throw new Error(`These aliases want icons that are not there: ${missing.join(', ')}`)
  for (const { label, hexcode } of emoji) if (label === 'robot' || label === 'red heart' || label === 'ghost' || label === 'alien') things.add(hexcode.toLowerCase().replaceAll(/-?fe0f/g, ''))

  const english = new Set(Object.keys(words))
  for (const annotation of Object.values(read(packages, 'en'))) for (const keyword of annotation.default ?? []) english.add(keyword.toLowerCase())
  for (const language of languages) {
    const candidates = new Map<string, { codePoint: string; score: number }>()
    const loose = new Map<string, Set<string>>()
    for (const [character, { default: keywords = [], tts = [] }] of Object.entries(read(packages, language))) {
      const codePoint = codePointOf(character)
      if (!things.has(codePoint)) continue
      const name = tts[0]?.toLowerCase() ?? ''
      for (const keyword of new Set([name, ...keywords.map((each) => each.toLowerCase())])) {
        const isLatin = latin.test(keyword)
        if (!keyword || misleading.has(keyword) || (isLatin && (keyword.length < 3 || english.has(keyword) || falseFriends.has(keyword)))) continue
        const inName = isLatin ? name.split(/[\s-]+/).includes(keyword) : name.includes(keyword)
        if (keyword !== name && !inName && !isLatin && living.has(codePoint) && [...keyword].length > 1) loose.set(keyword, (loose.get(keyword) ?? new Set()).add(codePoint))
        if (keyword !== name && !inName) continue
        // In "gold medal" the gold is not the thing: a part must be at least half of a name written without spaces.
        if (/\p{Script=Han}/u.test(keyword) && keyword.length * 2 < name.length) continue
        const score = keyword === name ? 1_000 : 500 - name.length
        const held = candidates.get(keyword)
        if (!held || score > held.score) candidates.set(keyword, { codePoint, score })
      }
    }
    for (const [word, found] of loose) if (found.size <= 3 && !candidates.has(word)) candidates.set(word, { codePoint: [...found][0]!, score: 1_000 })
    for (const [word, { codePoint, score }] of candidates) {
      // A keyword of a long name is more often an adjective than the thing.
      if (score < 1_000 && latin.test(word) && score < 484) continue
      words[word] ??= codePoint
    }
  }
  for (const language of ['en', ...languages]) for (const [character, { tts }] of Object.entries(read(packages, language))) {
    const codePoint = codePointOf(character)
    if (/^(1f534|1f7e0|1f7e1|1f7e2|1f535|1f7e3|1f7e4|26ab|26aa)$/.test(codePoint) && tts?.[0]) words[tts[0].toLowerCase()] ??= codePoint
  }
  return { words, names }
}

function read(packages: string, language: string): Record<string, Annotation> {
  const path = join(packages, `cldr-annotations-full/annotations/${language}/annotations.json`)
  if (!existsSync(path)) throw new Error(`CLDR has no annotations for ${language}.`)
  return JSON.parse(readFileSync(path, 'utf8')).annotations.annotations
}
