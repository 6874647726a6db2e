/** Rewriting by rules: what an instruction plainly asks for, and nothing else. Pure. */

type Change = (text: string) => string

const sentencesOf = (text: string): string[] => text.split(/(?<=[.!?…])\s+/).map(one => one.trim()).filter(one => one !== '')

const contractions: [RegExp, string][] = [
  [/\bcan't\b/gi, 'cannot'], [/\bwon't\b/gi, 'will not'], [/\b(\w+)n't\b/gi, '$1 not'], [/\b(I)'m\b/g, '$1 am'], [/\b(\w+)'re\b/gi, '$1 are'], [/\b(\w+)'ve\b/gi, '$1 have'],
  [/\b(\w+)'ll\b/gi, '$1 will'], [/\b(it|that|there|here|what|who)'s\b/gi, '$1 is'],
]
const casual: [RegExp, string][] = [[/\bhi\b/gi, 'hello'], [/\bhey\b/gi, 'hello'], [/\bget\b/gi, 'receive'], [/\bbuy\b/gi, 'purchase'], [/\bstuff\b/gi, 'items'], [/\bkids\b/gi, 'children'], [/\bawesome\b/gi, 'excellent'], [/\bthanks\b/gi, 'thank you']]
const stiff: [RegExp, string][] = [[/\butili[sz]e\b/gi, 'use'], [/\bpurchase\b/gi, 'buy'], [/\bcommence\b/gi, 'begin'], [/\bterminate\b/gi, 'end'], [/\bassist\b/gi, 'help'], [/\badditional\b/gi, 'more'], [/\bapproximately\b/gi, 'about'], [/\bin order to\b/gi, 'to'], [/\bprior to\b/gi, 'before']]
const filler = /\b(very|really|quite|just|simply|actually|basically|literally|extremely|incredibly|absolutely)\s+/gi

/** The replacement begins as what it replaces did. */
const replaceAll = (text: string, pairs: [RegExp, string][]): string => pairs.reduce((all, [from, to]) => all.replace(from, (found, first: unknown) => {
  const word = typeof first === 'string' ? to.replace('$1', first) : to
  return /^\p{Lu}/u.test(found) ? word[0]!.toUpperCase() + word.slice(1) : word
}), text)

const titled = (text: string): string => text.replace(/\p{L}[\p{L}'’]*/gu, (word, at: number) => at > 0 && /^(a|an|and|at|by|for|from|in|of|on|or|the|to|with)$/i.test(word) ? word.toLowerCase() : word[0]!.toUpperCase() + word.slice(1).toLowerCase())

/** A wish, and what is done about it; they are done in this order. */
const wishes: [wish: RegExp, change: Change][] = [
  [/\b(shorten|shorter|short|concise|brief|briefly|summari[sz]e|summary|tighten|crisp)\b/i, text => {
    const sentences = sentencesOf(text)
    return sentences.slice(0, Math.max(1, Math.ceil(sentences.length / 2))).join(' ').replace(filler, '')
  }],
  [/\b(formal|formally|professional|polite|politely|business)\b/i, text => replaceAll(replaceAll(text, contractions), casual).replace(/!+/g, '.')],
  [/\b(simple|simpler|simply|plain|plainly|easy)\b/i, text => replaceAll(text, stiff)],
  [/\b(friendly|warm|casual|informal)\b/i, text => text.replace(/\b(do|does|did|is|are|was|were|have|has|would|should) not\b/gi, '$1n\'t').replace(/\bwe are\b/gi, found => found[0] === 'W' ? 'We\'re' : 'we\'re').replace(/\byou are\b/gi, found => found[0] === 'Y' ? 'You\'re' : 'you\'re')],
  [/\b(exciting|excited|enthusiastic|energetic|punchy|bold|playful)\b/i, text => text.replace(/\.(?=\s|$)/g, '!').replace(/(?<![.!?…])$/, '!')],
  [/\b(calm|neutral|sober|matter-of-fact)\b/i, text => text.replace(/!+/g, '.')],
  [/\b(bullets?|bullet points?|list)\b/i, text => sentencesOf(text).map(one => `- ${one}`).join('\n')],
  [/\b(upper ?case|capitals|all caps)\b/i, text => text.toUpperCase()],
  [/\blower ?case\b/i, text => text.toLowerCase()],
  [/\b(title case|headline)\b/i, text => titled(text).replace(/(?<!\.)\.+$/, '')],
]

export interface Rewritten { text: string; /** The wishes that were done, in their words; empty where the instruction held none that is known. */ done: string[] }

/** A text changed as an instruction asks. Where no rule knows the wish, the text is marked as left alone. */
export function rewrite(text: string, instruction: string): Rewritten {
  const plain = text.trim()
  const wanted = wishes.flatMap(([wish, change]) => { const found = wish.exec(instruction); return found ? [{ word: found[0].toLowerCase(), change }] : [] })
  if (wanted.length === 0) return { text: `[unchanged] ${plain}`, done: [] }
  return { text: wanted.reduce((all, { change }) => change(all), plain), done: wanted.map(({ word }) => word) }
}
