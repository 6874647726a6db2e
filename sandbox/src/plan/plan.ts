/**
 * Reads a prompt and says what to draw.
 *
 * Nothing here reads the clock, draws chance from outside its seed or touches a pixel: the same prompt and options give
 * the same Plan, and a Plan is plain JSON, so it can be stored beside a picture and drawn again for an edit.
 */
import { rendererVersion } from '../contract.ts'
import type { Understood } from '../contract.ts'
import { hex, hsl, toHex } from '../kernel/colour.ts'
import { Random, hash32 } from '../kernel/random.ts'
import { iconName, lookup } from './lexicon.ts'
import { takeQuotes } from './quotes.ts'
import { withoutUnwanted } from './unwanted.ts'
import { readSteps } from './steps.ts'
import { singulars, tokenise } from './tokens.ts'
import { afterNoun, alsoThings, colours } from './words/colours.ts'
import { anyone, hairColours, people, skins } from './words/people.ts'
import type { HairStyle, Hat, Skin, Trait } from './words/people.ts'
import { cameras, features, findAll, kinds, letterings, styles, times, weathers } from './words/phrases.ts'
import type { Camera, Kind, Lettering, Style, Time, Weather } from './words/phrases.ts'
import { withoutHomonyms } from './words/homonyms.ts'
import { numbers, plain } from './words/plain.ts'
import { settings } from './words/settings.ts'
import type { Setting } from './words/settings.ts'
import { bornColours, icons, models } from './words/things.ts'

/** A person as drawn: what the prompt said, the rest drawn by chance. */
export interface Person {
  gender: 'female' | 'male'
  skin: Skin
  hair: string
  hairStyle: HairStyle
  outfit: string
  eye: string
  glasses: boolean
  beard: boolean
  hat: Hat | null
  /** 0.5 a hint, 1.1 broad. */
  smile: number
}

export type Subject =
  | { kind: 'person'; label: string; person: Person }
  | { kind: 'model'; label: string; model: string; colour: string | null }
  | { kind: 'icon'; label: string; icon: string; colour: string | null }

export interface Plan {
  kind: Kind
  prompt: string
  subjects: Subject[]
  setting: Setting
  time: Time
  /** Whether the prompt named the setting and the time, or we chose. */
  named: { setting: boolean; time: boolean }
  style: Style
  /** What to write, word for word. */
  texts: string[]
  lettering: Lettering
  textColour: string | null
  /** Ground colour as `#rrggbb`, where the prompt gave one or the studio wants one. */
  background: string | null
  camera: Camera
  weather: Weather[]
  /** Details named that a scene can draw: `lake`, `autumn`, `marble`. */
  features: string[]
  /** Labels of an infographic's steps; empty strings where only their number is known. */
  steps: string[]
  /** What an infographic is about. */
  topic: string | null
  unmatched: string[]
  /** Mixed from the caller's seed, the prompt, the variation and the renderer's version. */
  seed: number
  width: number
  height: number
}

export interface PlanOptions {
  seed?: number | undefined
  width: number
  height: number
  variation?: number | undefined
}

const subjectsMax = 6
const countMax = 5

/** The thing a word means: a solid model, or an icon. Plurals too. */
interface Thing { model?: string; icon?: string }

function thing(word: string): Thing | null {
  for (const form of singulars(word)) {
    const model = models.get(form)
    if (model) return { model }
    const icon = icons.get(form)
    if (icon) return { icon }
  }
  for (const form of singulars(word)) {
    const icon = lookup(form)
    if (icon) return { icon }
  }
  return null
}

const personOf = (word: string): Trait | null => {
  for (const form of singulars(word)) {
    const trait = people.get(form)
    if (trait) return trait
  }
  return null
}

const settingOf = (word: string): Setting | null => {
  for (const form of singulars(word)) {
    const setting = settings.get(form)
    if (setting) return setting
  }
  return null
}

const isKnown = (word: string): boolean =>
  models.has(word) || icons.has(word) || colours.has(word) || people.has(word) || anyone.has(word) || settings.has(word) || plain.has(word) || numbers.has(word) || lookup(word) !== null

/** "palm trees", "hot dog": two words that are one noun. */
function lookUpPair(word: string, next: string): { icon: string } | null {
  for (const form of singulars(next)) {
    const icon = lookup(`${word} ${form}`)
    if (icon) return { icon }
  }
  return null
}

/** Words that dress the person before them rather than standing alone. */
const clothes = /^(sweater|jacket|shirt|hoodie|coat|suit|dress|robe|t-shirt|tshirt|blouse|cloak|uniform)s?$/

/** Models whose name is not a word. */
const modelNames: Readonly<Record<string, string>> = { hotairballoon: 'hot air balloon', wineglass: 'glass of wine' }

interface Reading {
  people: { label: string; trait: Trait & { skin?: Skin } }[]
  subjects: Subject[]
  unmatched: string[]
  /** People asked for without a word for each ("portrait of two characters"). */
  wanted: number
}

/** Goes through the words once, holding on to a colour and a number until the noun they belong to. */
function readWords(words: string[], used: Set<string>, spoken: Set<string>, isFlat: boolean): Reading {
  const reading: Reading = { people: [], subjects: [], unmatched: [], wanted: 0 }
  const { subjects, unmatched } = reading
  const seen = new Set<string>()
  let colour: { value: string; at: number } | null = null
  let count = 0
  let waiting: Trait & { skin?: Skin } = {}
  const lastPerson = () => reading.people.at(-1)?.trait
  const isFigure = !words.some((word) => anyone.has(word) || /^(face|close-up)$/.test(word))
  const near = (at: number, reach: number): string | null => (colour && at - colour.at <= reach ? colour.value : null)
  const nounAhead = (at: number): boolean => {
    const next = words[at + 1]
    if (!next) return false
    if (colours.has(next) && !alsoThings.has(next)) return true
    if (/^(hair|fur|background|backdrop|wall|color|colour|letters|lettering|text|striped|tabby)$/.test(next) || clothes.test(next)) return true
    return !plain.has(next) && !settings.has(next) && (thing(next) !== null || personOf(next) !== null)
  }

  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    const next = words[at + 1] ?? ''
    const number = numbers.get(word) ?? (/^[2-9]$/.test(word) ? Number(word) : 0)
    if (number) {
      count = Math.min(countMax, number)
      continue
    }

    const together = `${word} ${next}`
    const hyphened = `${word}-${next}`
    const pair: Thing | null = next && !colours.has(word) && !colours.has(next) ? (models.has(hyphened) ? { model: models.get(hyphened)! } : icons.has(hyphened) ? { icon: icons.get(hyphened)! } : lookUpPair(word, next)) : null

    if (!pair) {
      const value = colours.get(word)
      if (value && (!alsoThings.has(word) || nounAhead(at))) {
        const last = subjects.at(-1)
        if (afterNoun.test(word) && last && last.kind !== 'person' && !last.colour && !nounAhead(at)) last.colour = value
        else colour = { value, at }
        continue
      }
      const hair = hairColours.get(word)
      if (hair && (!/^(ginger|old|elderly|aged)$/.test(word) || personOf(next))) {
        waiting.hair = hair
        if (word === 'redhead') {
          reading.people.push({ label: word, trait: { ...waiting, gender: 'female' } })
          waiting = {}
        }
        continue
      }
      if (word === 'hair' || word === 'haired') {
        const found = near(at, 2)
        const owner = lastPerson() ?? waiting
        if (found) owner.hair = found === colours.get('red') ? '#9c3a1a' : found
        colour = null
        continue
      }
      const shape = /^(curly|long|short|bald)(?:-?haired)?$/.exec(word)
      if (shape && (word === 'bald' || word.endsWith('haired') || [next, words[at + 2], words[at + 3]].some((w) => w === 'hair' || w === 'haired'))) {
        const owner = lastPerson() && word !== 'bald' && !/haired/.test(word) && ![next, words[at + 2]].includes('haired') ? lastPerson()! : waiting
        owner.hairStyle = shape[1] as HairStyle
        continue
      }
      if (/^(glasses|spectacles|eyeglasses)$/.test(word)) {
        const owner = lastPerson()
        if (owner) {
          owner.glasses = true
          continue
        }
      }
      if (/^(beard|bearded|moustache|mustache)$/.test(word)) {
        const owner = word === 'bearded' ? waiting : (lastPerson() ?? waiting)
        owner.beard = true
        const found = near(at, 1)
        if (found) owner.hair = found
        if (found) colour = null
        continue
      }
      if (skins.has(word) && (personOf(next) || personOf(words[at + 2] ?? ''))) {
        waiting.skin = skins.get(word)!
        continue
      }
      if (/^(hat|cap|beanie)$/.test(word) && lastPerson()) {
        lastPerson()!.hat ??= 'cap'
        colour = null
        continue
      }
      if (clothes.test(word) && lastPerson()) {
        const found = near(at, 2)
        if (found) lastPerson()!.outfit = found
        colour = null
        continue
      }
      if (anyone.has(word) && !isFlat) {
        reading.wanted = Math.max(reading.wanted, count || anyone.get(word)!)
        count = 0
        continue
      }
      // An astronaut is whole, in a suit; a portrait of one has a face.
      const trait = isFigure && models.get(word) === 'astronaut' ? null : personOf(word)
      if (trait) {
        const many = count || trait.count || (singulars(word).length > 1 && !people.has(word) ? 2 : 1)
        for (let k = 0; k < many; k++) reading.people.push({ label: singulars(word).find((form) => people.has(form)) ?? word, trait: { ...trait, ...waiting } })
        waiting = {}
        count = 0
        colour = null
        continue
      }
    }

    const found: Thing | null = pair ?? (used.has(word) && !models.has(word) ? null : plain.has(word) || (settingOf(word) && !models.has(word)) ? null : thing(word))
    if (found) {
      if (pair) at++
      // "A vase of flowers" has them already.
      if (found.model === 'vase' && words[at + 1] === 'of' && /flower|rose|tulip/.test(words[at + 2] ?? '')) at += 2
      const key = found.model ?? found.icon!
      const own = near(pair ? at - 1 : at, 3)
      const isPlural = !/^(vase|bouquet)$/.test(word) && /^[a-z-]+s$/.test(words[at]!) && singulars(words[at]!).length > 1 && !models.has(words[at]!) && !icons.has(words[at]!)
        // Pancakes and fries come as a heap already.
        && !(found.icon && iconName(found.icon)?.endsWith('s'))
      const many = count || (isPlural && !isFlat ? 2 : 1)
      // "a latte in a teal mug" is one mug, and it is the teal one; "a red car and a blue car" are two.
      const before = subjects.find((subject) => (subject.kind === 'model' ? subject.model : subject.kind === 'icon' ? subject.icon : '') === key)
      if (before && before.kind !== 'person' && !before.colour && own && count === 0) before.colour = own
      else if (!before || (own && before.kind !== 'person' && before.colour !== own)) {
        const label = found.icon ? (iconName(found.icon) ?? (pair ? together : word)) : (found.model && modelNames[found.model]) ? modelNames[found.model]! : pair ? together : found.model === word ? word : singulars(word).find((form) => models.has(form)) ?? word
        const born = bornColours.get(pair ? hyphened : word) ?? singulars(word).map((form) => bornColours.get(form)).find(Boolean) ?? null
        for (let k = 0; k < many; k++) {
          subjects.push(found.model ? { kind: 'model', label, model: found.model, colour: own ?? born } : { kind: 'icon', label, icon: found.icon!, colour: own })
        }
        seen.add(key)
      }
      count = 0
      colour = null
      continue
    }
    if (plain.has(word) || used.has(word) || spoken.has(word) || settingOf(word) || word.length < 2 || /^\d+(px|mm|k|x\d+)?$/.test(word)) continue
    if (singulars(word).some((form) => plain.has(form)) || findAll(word, times).length > 0) continue
    if (!unmatched.includes(word)) unmatched.push(word)
  }
  reading.subjects = subjects
  return reading
}

function completePerson(trait: Trait & { skin?: Skin }, random: Random): Person {
  const gender = trait.gender ?? random.pick(['female', 'male'] as const)
  const hairStyle = random.pick(gender === 'male' ? (['short', 'short', 'short', 'curly', 'bald'] as const) : (['long', 'long', 'bun', 'curly'] as const))
  const skin = trait.skin ?? random.pick(['light', 'medium', 'tan', 'dark', 'light', 'deep'] as const)
  const isFair = skin === 'light'
  return {
    gender,
    skin,
    hair: trait.hair ?? random.pick(isFair ? ['#2a1a12', '#4a2c1a', '#6e4425', '#a8672e', '#d0a860', '#8a3f1f'] : ['#2a1a12', '#3a2418', '#1b1614', '#241712']),
    hairStyle: trait.hairStyle ?? hairStyle,
    outfit: trait.outfit ?? random.pick(['#3d5a80', '#c8553d', '#2f5d50', '#6a4c93', '#d8a03c', '#30343f']),
    eye: random.pick(isFair ? ['#4a6b3a', '#5a3a20', '#3a6a9a', '#3a2416'] : ['#5a3a20', '#3a2416', '#46301c']),
    glasses: trait.glasses ?? random.chance(0.12),
    beard: trait.beard ?? (gender === 'male' && random.chance(0.25)),
    hat: trait.hat ?? null,
    smile: random.range(0.5, 1.1),
  }
}

const skyBound = new Set(['1f680', '1f47d', '1f6f8', '1fa90', '1f6f0'])
const seaBound = new Set(['1f420', '1f41f', '1f421', '1f988', '1f41a', '1fabc', '1f42c', '1f40b', '1f433'])
const seaGoing = new Set(['26f5', '1f6a2', '1f6e5', '26f4', '1f6f3', '1f6f6'])
const furniture = new Set(['sofa', 'lamp', 'plant', 'chair'])
const onTables = new Set(['mug', 'cake', 'apple', 'burger', 'book', 'vase', 'cupcake', 'pizza', 'wineglass'])
const outdoors = new Set(['dog', 'cat', 'tree', 'house', 'bird', 'rabbit', 'bear', 'mushroom', 'balloon', 'horse', 'unicorn', 'elephant', 'lion', 'bicycle', 'castle', 'sunflower', 'butterfly', 'dragon'])
const woodland = new Set(['fox', 'wolf', 'tiger', 'panda', 'owl', 'cabin'])

function chooseSetting(subjects: Subject[], timeNamed: boolean, isEmpty: boolean, random: Random): Setting {
  const models = new Set(subjects.flatMap((subject) => (subject.kind === 'model' ? [subject.model] : [])))
  const shown = subjects.flatMap((subject) => (subject.kind === 'icon' ? [subject.icon] : []))
  if (models.has('rocket') || models.has('astronaut') || shown.some((icon) => skyBound.has(icon))) return 'space'
  if (models.has('lighthouse') || models.has('sailboat') || shown.some((icon) => seaGoing.has(icon))) return 'ocean'
  if (models.has('hotairballoon')) return 'mountains'
  if (models.has('fish') || shown.some((icon) => seaBound.has(icon))) return 'underwater'
  if (models.has('snowman') || models.has('penguin')) return 'snow'
  if ([...models].some((model) => furniture.has(model)) || shown.includes('1f384')) return 'room'
  if ([...models].some((model) => onTables.has(model))) return 'table'
  if ([...models].some((model) => woodland.has(model))) return 'forest'
  if ([...models].some((model) => outdoors.has(model))) return 'meadow'
  if (shown.includes('1f383')) return 'forest'
  if (shown.some(isFood)) return 'table'
  if (shown.some(isBeast)) return 'meadow'
  if (subjects.length > 0) return 'studio'
  return timeNamed && !isEmpty ? random.pick(['mountains', 'ocean'] as const) : 'abstract'
}

/** The emoji block of animals. */
function isBeast(icon: string): boolean {
  const code = parseInt(icon, 16)
  return (code >= 0x1f400 && code <= 0x1f43f) || (code >= 0x1f980 && code <= 0x1f9ae)
}

/** The emoji block of food and drink, by code point. */
function isFood(icon: string): boolean {
  const code = parseInt(icon, 16)
  return (code >= 0x1f32d && code <= 0x1f32f) || (code >= 0x1f345 && code <= 0x1f37f) || (code >= 0x1f950 && code <= 0x1f96f) || (code >= 0x1f9c0 && code <= 0x1f9cb) || (code >= 0x1fad0 && code <= 0x1fad9)
}

const usualTime: Partial<Record<Setting, Time>> = { meadow: 'golden', forest: 'dawn', desert: 'golden', snow: 'dawn' }

/** Reads `prompt` into a Plan. */
export function plan(prompt: string, options: PlanOptions): Plan {
  const { texts, rest: said } = takeQuotes(prompt)
  // With one seed the same poster is composed for every headline: what it says is no part of how it looks.
  const base = hash32((options.seed === undefined ? prompt : said).trim().toLowerCase())
  const seed = hash32(`${rendererVersion}:${options.seed ?? base}:${base}:${options.variation ?? 0}`)
  const random = new Random(seed)
  const rest = withoutUnwanted(said)
  const text = rest.normalize('NFKC').toLowerCase()

  const named = findAll(text, kinds)
  // 海报 is a poster; the sea in it is not to be drawn.
  const scenery = named.reduce((left, { words }) => left.replace(words, ' '), text)
  const found = { times: findAll(scenery, times), styles: findAll(text, styles), weather: findAll(text, weathers), cameras: findAll(text, cameras), kinds: named, letterings: findAll(text, letterings), features: findAll(scenery, features) }
  const kind = found.kinds[0]?.value ?? 'scene'
  // Words of a phrase are spent, unless they are also the name of a thing ("flowers", "glass").
  const used = new Set([...found.times, ...found.styles, ...found.weather, ...found.cameras, ...found.kinds, ...found.letterings].flatMap(({ words }) => tokenise(words, isKnown)))
  let words = tokenise(withoutHomonyms(rest), isKnown)

  const ground = readBackground(text, words)
  words = ground.words
  const letters = readTextColour(words, texts.length > 0)
  words = letters.words

  const votes = new Map<Setting, number>()
  for (const word of words) {
    const setting = settingOf(word)
    if (setting) votes.set(setting, (votes.get(setting) ?? 0) + 1)
  }
  for (const { value, words: phrase } of found.times) if (value === 'pink' && !votes.size && phrase) votes.set('ocean', 1)
  const asksStudio = /\b(?:white|plain|solid|gradient|colou?red) background\b|product (?:shot|photo)|\bon white\b|packshot/.test(text)
  let setting = asksStudio ? 'studio' : ([...votes].sort((a, b) => b[1] - a[1])[0]?.[0] ?? null)
  if (!asksStudio && votes.has('snow') && votes.has('mountains')) setting = 'mountains'
  else if (!asksStudio && votes.has('snow') && votes.has('forest')) setting = 'forest'
  if (!asksStudio && votes.has('table') && setting !== 'table' && !votes.has('city') && !votes.has('ocean')) setting = 'table'
  if (setting === 'studio' && votes.size > 1 && !asksStudio) setting = [...votes].filter(([name]) => name !== 'studio').sort((a, b) => b[1] - a[1])[0]![0]
  if (setting === 'sky' && votes.size > 1) setting = [...votes].find(([name]) => name !== 'sky')![0]
  if (ground.colour && (!setting || setting === 'abstract')) setting = 'studio'

  const isFlat = kind !== 'scene' && kind !== 'poster'
  const spoken = new Set(found.features.flatMap(({ words }) => tokenise(words, isKnown)))
  const reading = readWords(words, used, spoken, isFlat)
  if (kind === 'scene') while (reading.people.length < reading.wanted) reading.people.push({ label: 'person', trait: {} })
  if (reading.people.length > countMax) reading.people.length = countMax
  const persons: Subject[] = reading.people.map(({ label, trait }, index) => ({ kind: 'person', label, person: completePerson(trait, random.fork(`person${index}`)) }))
  const subjects = [...persons, ...reading.subjects].slice(0, subjectsMax)

  const isNamed = setting !== null
  if (/on the moon\b|月球/.test(text)) setting = 'space'
  setting ??= subjects.some((subject) => subject.kind === 'person' && subject.person.hat === 'helmet') ? 'space'
    : chooseSetting(subjects, found.times.length > 0, false, random.fork('setting'))

  let background = ground.colour
  if (!background && setting === 'studio') {
    const studio = random.fork('studio')
    background = /\bwhite\b|minimal|白色|أبيض|सफेद|blanco|blanc|weiß/.test(text) && !subjects.some((subject) => subject.kind !== 'person' && subject.colour === colours.get('white'))
      ? '#f4f3f1' : toHex(hsl(studio.range(0, 360), studio.range(0.25, 0.45), studio.range(0.78, 0.88)))
  }

  const { steps, topic } = kind === 'infographic' ? readSteps(rest) : { steps: [], topic: null }
  return {
    kind,
    prompt,
    subjects,
    setting,
    time: found.times[0]?.value ?? usualTime[setting] ?? 'day',
    named: { setting: isNamed, time: found.times.length > 0 },
    style: found.styles[0]?.value ?? 'photo',
    texts,
    lettering: found.letterings[0]?.value ?? 'display',
    textColour: letters.colour,
    background,
    camera: found.cameras[0]?.value ?? 'normal',
    weather: found.weather.map(({ value }) => value),
    features: found.features.map(({ value }) => value),
    steps,
    topic,
    unmatched: kind === 'infographic' ? [] : reading.unmatched,
    seed,
    width: options.width,
    height: options.height,
  }
}

const groundWord = /^(background|backdrop|wall|背景|背景に|背景で|fondo|fond|hintergrund|sfondo|fundo|фон|фоне|배경|خلفية|पृष्ठभूमि)$/

/** "on a mint background", 蓝色背景, "sobre fondo azul": the colour is the ground's, not a thing's. */
function readBackground(text: string, words: string[]): { colour: string | null; words: string[] } {
  const at = words.findIndex((word) => groundWord.test(word))
  if (at < 0) return { colour: null, words }
  for (const place of [at - 1, at - 2, at + 1, at + 2]) {
    const word = words[place]
    if (!word || !colours.has(word)) continue
    if (Math.abs(place - at) === 2 && !/^(pastel|solid|的|plain|soft|light|dark|studio|de)$/.test(words[(place + at) / 2]!)) continue
    if (place > at && /^[a-z]+$/.test(word) && !/^(fondo|fond|sfondo|fundo)$/.test(words[at]!)) continue
    return { colour: shaded(colours.get(word)!, text, words[place - 1]), words: words.filter((_, index) => index !== place) }
  }
  return { colour: null, words }
}

/** "light blue", "dark green". */
function shaded(colour: string, _text: string, before: string | undefined): string {
  const [r, g, b] = hex(colour)
  if (before === 'light' || before === 'pale' || before === 'soft') return toHex([r + (255 - r) * 0.55, g + (255 - g) * 0.55, b + (255 - b) * 0.55])
  if (before === 'dark' || before === 'deep') return toHex([r * 0.5, g * 0.5, b * 0.5])
  return colour
}

/** "in gold art-deco letters": the colour is the letters'. */
function readTextColour(words: string[], hasTexts: boolean): { colour: string | null; words: string[] } {
  if (!hasTexts) return { colour: null, words }
  const at = words.findIndex((word) => /^(letters?|lettering|text|type|font|typography|foil)$/.test(word))
  if (at < 0) return { colour: null, words }
  for (let place = at - 1; place >= Math.max(0, at - 4); place--) {
    const colour = colours.get(words[place]!)
    if (colour) return { colour, words: words.filter((_, index) => index !== place) }
  }
  return { colour: null, words }
}

/** What the renderer made of the words, for the caller. */
export function understood(plan: Plan): Understood {
  const counted = new Map<string, number>()
  for (const subject of plan.subjects) {
    const label = subject.kind !== 'person' && subject.colour ? `${subject.label} (${subject.colour})` : subject.label
    counted.set(label, (counted.get(label) ?? 0) + 1)
  }
  return {
    kind: plan.kind,
    subjects: [...counted].map(([label, count]) => (count > 1 ? `${count} x ${label}` : label)),
    setting: plan.named.setting ? plan.setting : null,
    time: plan.named.time ? plan.time : null,
    style: plan.style === 'photo' ? null : plan.style,
    texts: plan.texts,
    edits: [],
    unmatched: plan.unmatched,
  }
}
