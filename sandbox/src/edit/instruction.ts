/**
 * Reads an edit instruction: which of the things we can do it asks for, and which words we cannot serve.
 *
 * Pure. Nouns, colours, settings and styles are the planner's to know; here are only the verbs of editing.
 */
import { takeQuotes } from '../plan/quotes.ts'
import { plan } from '../plan/plan.ts'
import type { Plan } from '../plan/plan.ts'
import { colours } from '../plan/words/colours.ts'

export type Tone = 'brighten' | 'darken' | 'warm' | 'cool' | 'contrast' | 'saturate' | 'mute' | 'grayscale' | 'sepia' | 'invert'

export interface Place {
  across: 'left' | 'center' | 'right'
  down: 'top' | 'middle' | 'bottom'
  /** Whether the words said so, or it is our choice. */
  isNamed: boolean
}

export type Edit =
  | { kind: 'combine' }
  | { kind: 'remove_background' }
  | { kind: 'background'; colour: string | null }
  | { kind: 'blur_background' }
  | { kind: 'sky' }
  | { kind: 'time' }
  | { kind: 'recolour'; colour: string }
  | { kind: 'erase' }
  | { kind: 'add'; place: Place }
  | { kind: 'tone'; tone: Tone }
  | { kind: 'blur' }
  | { kind: 'sharpen' }
  | { kind: 'style'; style: string }
  | { kind: 'crop'; ratio: number | null }
  | { kind: 'outpaint'; ratio: number | null }
  | { kind: 'enlarge'; factor: 2 | 4 }
  | { kind: 'rotate'; quarters: 1 | 2 | 3 }
  | { kind: 'flip'; axis: 'across' | 'down' }
  | { kind: 'text'; texts: string[]; place: Place; colour: string | null }

export interface Instruction {
  edits: Edit[]
  /** What the words name: things to add, the scene to put behind, the light. */
  plan: Plan
  unmatched: string[]
}

const words = (latin: string, other = '') => new RegExp(`(?<![\\p{L}\\p{N}])(?:${latin})(?![\\p{L}\\p{N}])${other ? `|${other}` : ''}`, 'u')

const asks = {
  background: words('back-?ground|backdrop|fondo|hintergrund|sfondo|fundo|arrière-plan|fond|фон', '背景|배경|خلفية|पृष्ठभूमि|พื้นหลัง'),
  remove: words('remove|delete|erase|get rid of|without|take out|take away|quita|quitar|elimina|eliminar|supprime|supprimer|enlève|enlever|entferne|entfernen|rimuovi|remova|удали|убери', '去除|去掉|移除|删除|擦除|削除|消して|지워|제거|إزالة|احذف|हटा'),
  cutOut: words('cut ?-?out|isolate|transparent(?: background)?|alpha channel|freistellen|détour\\w+', '抠图|透明|透過|누끼|شفاف'),
  sky: words('sky|skies|cielo|ciel|himmel|céu|небо', '天空|空を|하늘|سماء|السماء|आसमान|आकाश'),
  change: words('replace|change|swap|turn|make|set|switch|put|cambia|cambiar|pon|change[rz]?|remplace[rz]?|mets|ändere|ersetze|mach|cambia|замени|сделай', '换|换成|改成|变成|に変えて|にして|바꿔|غيّر|غير|اجعل|बदल'),
  add: words('add|insert|put|place|include|draw|añade|añadir|agrega|pon|ajoute|ajouter|füge|hinzufügen|aggiungi|adicione|добавь|вставь', '添加|加上|加一|放一|追加|足して|추가|넣어|أضف|ضع|जोड़'),
  write: words('write|text|caption|title|headline|say(?:s|ing)?|label|watermark|word|words|letters|lettering|texto|escribe|texte|écris|schreib\\w*|testo|текст|напиши', '文字|写上|写着|テキスト|텍스트|글자|نص|اكتب|लिख|टेक्स्ट'),
  combine: words('combine|merge|together|composite|collage|side by side|both (?:products?|photos?|pictures?|images?|of them)|all (?:products?|photos?|pictures?|images?|of them)|these (?:two|three|four)|combina\\w*|juntos|combine[rz]?|ensemble|kombinier\\w*|zusammen|объедини', '合并|组合|合成|まとめて|합쳐|ادمج|मिला'),
  crop: words('crop|trim|recorta\\w*|recadre\\w*|zuschneiden|обрежь', '裁剪|裁切|トリミング|잘라|قص'),
  outpaint: words('outpaint\\w*|un-?crop|extend|expand|widen|wider|zoom out|aspect(?: ratio)?|ratio|amplía|étend\\w*|erweiter\\w*|расширь', '扩展|扩图|拡張|확장|وسّع'),
  enlarge: words('upscale\\w*|enlarge|upsize|upres|super-?resolution|higher resolution|increase(?: the)? resolution', '放大|高清|拡大|업스케일'),
  blur: words('blur|blurry|blurred|defocus|bokeh|desenfoc\\w*|flou\\w*|unscharf|размой', '模糊|ぼかし|흐리게|ضبابي|धुंधला'),
  sharpen: words('sharpen|sharper|crisper|crisp', '锐化|シャープ|선명'),
  rotate: words('rotate|turn it (?:left|right|upside down)|upside down|gira\\w*|pivote\\w*|drehe?n?|поверни', '旋转|旋轉|回転|회전|دوّر|घुमा'),
  flip: words('flip|mirror|reverse|voltea\\w*|espejo|miroir|spiegel\\w*|отрази', '翻转|镜像|反転|뒤집|اعكس'),
}

const tones: [Tone, RegExp][] = [
  ['brighten', words('brighten|brighter|lighten|lighter|more light|exposure up|aclara|más brillante|éclairci\\w*|plus clair|heller|ярче|светлее', '提亮|变亮|更亮|明るく|밝게|أفتح|उज्ज्वल')],
  ['darken', words('darken|darker|dim|dimmer|oscurece|más oscuro|assombri\\w*|plus sombre|dunkler|темнее', '变暗|更暗|调暗|暗く|어둡게|أغمق|गहरा')],
  ['warm', words('warm|warmer|warmth|más cálid[oa]|plus chaud|wärmer|теплее', '暖色|更暖|暖かく|따뜻|أدفأ')],
  ['cool', words('cool|cooler|colder|más frí[oa]|plus froid|kälter|kühler|холоднее', '冷色|更冷|차갑')],
  ['contrast', words('(?:more|increase|higher|boost)(?: the)? contrast|contrasty|punchier', '增强对比|提高对比')],
  ['saturate', words('saturated|saturate|more saturation|increase(?: the)? saturation|more colou?rful|vibrant|vivid', '鲜艳|饱和|鮮やか')],
  ['mute', words('desaturated?|muted|less saturat\\w+|fade|faded', '降低饱和')],
  ['grayscale', words('gr[ae]yscale|gr[ae]y-scale|escala de grises|niveaux de gris|graustufen', '灰度|グレースケール|흑백톤')],
  ['sepia', words('sepia')],
  ['invert', words('invert|negative', '反色')],
]

/** Words of the craft, which are understood even when they name no thing. */
const craft = new Set(('increase decrease boost reduce upscale enlarge resolution quality करो कर दो बनाओ की को में して 으로 로 해줘 주세요 make turn change replace swap remove delete erase add insert put place write text caption title crop trim rotate flip mirror outpaint extend expand uncrop zoom blur sharpen brighten darken brighter darker lighter lighten '
  + 'warmer cooler warm cool contrast saturation saturated vibrant grayscale greyscale sepia invert negative background backdrop foreground sky image images picture pictures photo photos version instead please can could you me i want like look looks looking convert transform '
  + 'into style filter effect mask area region inside selected keep everything else same only just little bit slightly more much less degrees degree clockwise counterclockwise anticlockwise horizontally vertically horizontal vertical left right top bottom center centre middle corner upper lower '
  + 'upside down aspect ratio wide wider tall taller square portrait landscape combine merge together composite collage both these product products edit edited give set use using apply behind front next beside transparent isolate cutout cut out one two three new different '
  + 'subject object objects thing person whole entire color colour colors letters word words lettering bold large big small font shelf scene says reading sketch drawing painting art artwork starry clear bright friendly beautiful nice and the with percent').split(' '))

const sides = {
  top: words('top|upper|above|arriba|haut|oben|сверху', '顶|上方|上面|左上|右上|上に|위|[اأ]على|ऊपर'),
  bottom: words('bottom|lower|below|underneath|abajo|bas|unten|снизу', '底|下方|下面|左下|右下|下に|아래|[اأ]سفل|नीचे'),
  left: words('left|izquierda|gauche|links|слева', '左|왼쪽|يسار|बाएं|बाईं'),
  right: words('right|derecha|droite|rechts|справа', '右|오른쪽|يمين|दाएं|दाईं'),
  middle: words('cent(?:er|re)d?|middle|centro|milieu|mitte|центр\\w*', '中间|中央|中心|가운데|وسط|बीच'),
}

/** `sideDown`: how high a thing is that is only said to be left or right. */
function readPlace(text: string, usual: Pick<Place, 'across' | 'down'>, sideDown: Place['down']): Place {
  const down = sides.top.test(text) ? 'top' : sides.bottom.test(text) ? 'bottom' : null
  const across = sides.left.test(text) ? 'left' : sides.right.test(text) ? 'right' : null
  const isMiddle = sides.middle.test(text)
  if (!down && !across && !isMiddle) return { ...usual, isNamed: false }
  return { across: across ?? 'center', down: down ?? (isMiddle ? 'middle' : sideDown), isNamed: true }
}

/** "16:9", "4 by 5", "square". */
function readRatio(text: string): number | null {
  const found = /(\d{1,4}(?:\.\d+)?)\s*(?::|x|×|\/|by)\s*(\d{1,4}(?:\.\d+)?)/.exec(text)
  if (found) {
    const ratio = Number(found[1]) / Number(found[2])
    if (ratio >= 1 / 8 && ratio <= 8) return ratio
  }
  if (words('square|cuadrad[oa]|carré|quadratisch', '正方形|方形').test(text)) return 1
  if (words('landscape|widescreen|wide|wider|panorama', '横向|宽屏').test(text)) return 16 / 9
  return words('portrait|vertical|tall|taller|story|stories', '竖版|纵向').test(text) ? 9 / 16 : null
}

/** The colour word nearest to what it colours: before it in most languages, after it in some. */
function readColour(text: string, subject: RegExp | null): string | null {
  const tokens = text.match(/[\p{L}\p{M}\p{N}-]+/gu) ?? []
  const at = subject ? tokens.findIndex((token) => subject.test(token)) : 0
  let best: { colour: string; distance: number } | null = null
  tokens.forEach((token, index) => {
    const colour = colours.get(token) ?? unspacedColour(token)
    const distance = Math.abs(index - at)
    if (colour && (!best || distance < best.distance)) best = { colour: shade(colour, tokens[index - 1]), distance }
  })
  const code = /#([0-9a-f]{6}|[0-9a-f]{3})\b/i.exec(text)
  return code ? code[0] : (best as { colour: string } | null)?.colour ?? null
}

function unspacedColour(token: string): string | null {
  if (/^\p{Script=Cyrillic}{4,}$/u.test(token)) {
    // Russian endings follow the sentence; the stem is the colour.
    for (const [name, colour] of colours) if (name.length > 4 && /^\p{Script=Cyrillic}/u.test(name) && token.startsWith(name.slice(0, -2))) return colour
    return null
  }
  if (!/[\u3040-\u9fff\uac00-\ud7af]/.test(token)) return null
  const single = /([\u4e00-\u9fff])(?:に|い|の|色|$)/u.exec(token.replace('背景', ''))
  let longest = single && colours.has(single[1]!) ? single[1]! : ''
  for (const name of colours.keys()) if (name.length > longest.length && name.length > 1 && token.includes(name)) longest = name
  return colours.get(longest) ?? null
}

function shade(colour: string, before: string | undefined): string {
  const target = /^(light|pale|soft|pastel)$/.test(before ?? '') ? 255 : /^(dark|deep)$/.test(before ?? '') ? 0 : null
  if (target === null) return colour
  const share = target ? 0.55 : 0.5
  return `#${[1, 3, 5].map((i) => Math.round(Number.parseInt(colour.slice(i, i + 2), 16) * (1 - share) + target * share).toString(16).padStart(2, '0')).join('')}`
}

export interface Situation {
  pictures: number
  hasMask: boolean
  seed: number
  width: number
  height: number
  /** Lower-case names of what is in the picture, where we drew it. */
  labels: string[]
}

export function readInstruction(prompt: string, { pictures, hasMask, seed, width, height, labels }: Situation): Instruction {
  const { texts, rest } = takeQuotes(prompt)
  const text = rest.normalize('NFKC').toLowerCase().trim()
  const meant = plan(rest, { seed, width, height })
  const edits: Edit[] = []
  const has = (pattern: RegExp) => pattern.test(text)
  const isBackground = has(asks.background)
  const namesOurs = labels.some((label) => label.split(/\s+/).some((word) => word.length > 2 && new RegExp(`\\b${escapePattern(word)}s?\\b`).test(text)))
  const colour = readColour(text, isBackground ? asks.background : null)

  if (pictures > 1 && (has(asks.combine) || has(asks.add))) edits.push({ kind: 'combine' })
  else if (has(asks.blur) && isBackground) edits.push({ kind: 'blur_background' })
  else if (has(asks.cutOut) || (isBackground && has(asks.remove))) edits.push({ kind: 'remove_background' })
  else if (isBackground && (colour || meant.named.setting)) edits.push({ kind: 'background', colour: meant.named.setting && meant.setting !== 'studio' ? null : colour })
  else if (meant.named.setting && meant.setting !== 'studio' && /\b(?:put|place|move|set|show)\s+(?:it|this|the|them|these|her|him|my)\b.*\b(?:on|in|at|onto|into|under|by)\b/.test(text) && texts.length === 0) edits.push({ kind: 'background', colour: null })
  else if (has(asks.sky) && (meant.named.time || has(asks.change))) edits.push({ kind: 'sky' })
  else if (has(asks.remove) && (hasMask || namesOurs)) edits.push({ kind: 'erase' })

  const isPlaced = edits.length > 0
  if (!isPlaced && texts.length === 0 && has(asks.add) && meant.subjects.length > 0) edits.push({ kind: 'add', place: readPlace(text, { across: 'right', down: 'bottom' }, 'bottom') })
  if (!isPlaced && !has(asks.add) && namesOurs && colour && meant.style === 'photo') edits.push({ kind: 'recolour', colour })
  // "a cool cat" is a cat, and the warm grey of a new ground no wish for the thing before it.
  const isDescribing = (meant.subjects.length > 0 || edits.some(({ kind }) => kind === 'background')) && /\b(?:warm|cool|negative|vivid|vibrant)\s+\p{L}+/u.test(text) && !/\b(?:make|turn|more)\b/.test(text)
  for (const [tone, pattern] of tones) if (has(pattern) && !(isDescribing && (tone === 'warm' || tone === 'cool' || tone === 'saturate'))) edits.push({ kind: 'tone', tone })
  if (has(asks.blur) && !isBackground) edits.push({ kind: 'blur' })
  if (has(asks.sharpen)) edits.push({ kind: 'sharpen' })
  if (meant.style !== 'photo' && !(texts.length > 0 && meant.style === 'pixel') && !edits.some((edit) => edit.kind === 'tone' && (edit.tone === 'grayscale' || edit.tone === 'sepia'))) edits.push({ kind: 'style', style: meant.style })
  if (has(asks.crop) && !/un-?crop/.test(text)) edits.push({ kind: 'crop', ratio: readRatio(text) })
  else if (has(asks.outpaint)) edits.push({ kind: 'outpaint', ratio: readRatio(text) })
  if (has(asks.enlarge)) edits.push({ kind: 'enlarge', factor: /\b(?:4|four|8|eight)\s*(?:x|×|times)|[x×]\s*(?:4|8)\b/.test(text) ? 4 : 2 })
  if (has(asks.rotate)) edits.push({ kind: 'rotate', quarters: readTurn(text) })
  if (has(asks.flip)) edits.push({ kind: 'flip', axis: words('vertical(?:ly)?|upside', '垂直|上下').test(text) ? 'down' : 'across' })
  if (texts.length > 0 && (edits.length === 0 || has(asks.write) || has(asks.add))) edits.push({ kind: 'text', texts, place: readPlace(text, { across: 'center', down: 'bottom' }, 'middle'), colour: isBackground ? null : colour })

  if (edits.length === 0) {
    // No verb of ours, yet the words may still say what belongs in the mask, or where the thing should stand.
    if (hasMask && (meant.subjects.length > 0 || colour)) edits.push(meant.subjects.length > 0 ? { kind: 'add', place: readPlace(text, { across: 'center', down: 'middle' }, 'middle') } : { kind: 'background', colour })
    else if (pictures > 1) edits.push({ kind: 'combine' })
    else if (meant.named.setting && meant.setting !== 'studio' && meant.setting !== 'abstract') edits.push({ kind: 'background', colour: null })
    else if (meant.named.time) edits.push({ kind: 'time' })
  }
  return { edits, plan: meant, unmatched: unmatchedOf(meant, edits, text) }
}

const escapePattern = (word: string) => word.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

function readTurn(text: string): 1 | 2 | 3 {
  if (/180|upside down/.test(text)) return 2
  return /270|counter|anti-?clockwise|\bleft\b|逆时针/.test(text) ? 3 : 1
}

/** Words nothing was done about. Things named are served only by an edit that draws things. */
function unmatchedOf(meant: Plan, edits: Edit[], text: string): string[] {
  const verbs = [...Object.values(asks), ...Object.values(sides), ...tones.map(([, pattern]) => pattern)]
  const unknown = meant.unmatched.filter((word) => !craft.has(word) && !unspacedColour(word) && !/^(?:[0-9a-f]{6}|\d+x?)$/.test(word) && !verbs.some((pattern) => pattern.test(word)))
  if (edits.length > 0) return unknown
  const named = text.match(/[\p{L}\p{M}\p{N}-]+/gu) ?? []
  return [...new Set([...unknown, ...named.filter((word) => word.length > 2 && !craft.has(word) && !/^(the|a|an|of|in|on|it|its|is|to|that|this|for|from|as|at|by|with)$/.test(word))])].slice(0, 30)
}
