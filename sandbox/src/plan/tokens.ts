/** Cutting a prompt into words: at gaps where the script has them, by longest known word where it has none. */

const ideographic = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/
const wordMax = 8

/** `isKnown` says whether a run of characters is a word we have something for. */
export function tokenise(text: string, isKnown: (word: string) => boolean): string[] {
  const raw = text.normalize('NFKC').toLowerCase().match(/[\p{L}\p{M}\p{N}&'’-]+/gu) ?? []
  return raw.flatMap((word) => {
    if (ideographic.test(word)) return cutIdeographs(word, isKnown)
    const bare = word.replace(/^['’&-]+|['’&-]+$/g, '').replace(/['’]s$/, '')
    if (!bare) return []
    if (/^[\u0600-\u06ff]/.test(bare)) return [withoutArticle(bare, isKnown)]
    if (bare.includes('-') && !isKnown(bare)) return bare.split('-').filter(Boolean)
    return [bare]
  })
}

/** Arabic writes its article, "and", "in" and "for" onto the word. */
function withoutArticle(word: string, isKnown: (word: string) => boolean): string {
  if (isKnown(word)) return word
  for (const prefix of ['ال', 'وال', 'بال', 'لل', 'و', 'ب', 'ل']) {
    const rest = word.slice(prefix.length)
    if (word.startsWith(prefix) && rest.length >= 2 && isKnown(rest)) return rest
  }
  return word.replace(/^ال(?=.{3})/, '')
}

/** Runs of characters that no word covers come back as one token, to be reported as unmatched. */
function cutIdeographs(run: string, isKnown: (word: string) => boolean): string[] {
  const found: string[] = []
  let unknown = ''
  const keep = (): void => {
    if (unknown) found.push(unknown)
    unknown = ''
  }
  for (let i = 0; i < run.length;) {
    let size = Math.min(wordMax, run.length - i)
    while (size > 0 && !isKnown(run.slice(i, i + size))) size--
    if (size === 0) {
      unknown += run[i]
      i++
      continue
    }
    keep()
    found.push(run.slice(i, i + size))
    i += size
  }
  keep()
  return found
}

const same = new Set(['headphones', 'glasses', 'sunglasses', 'scissors', 'binoculars', 'jeans', 'pants', 'shorts', 'bus', 'lens', 'chess', 'tennis', 'cactus', 'octopus', 'grass', 'glass', 'dress', 'compass', 'headsets', 'news'])

/** Candidates for an English word's singular, the likeliest first. The word itself is always the first. */
export function singulars(word: string): string[] {
  if (!/^[a-z-]+s$|^[a-z]+(men|mice|geese|children|leaves|wolves|knives)$/.test(word) || same.has(word)) return [word]
  const odd: Record<string, string> = { men: 'man', women: 'woman', mice: 'mouse', geese: 'goose', children: 'child', leaves: 'leaf', wolves: 'wolf', knives: 'knife' }
  if (odd[word]) return [word, odd[word]]
  const forms = [word]
  if (word.endsWith('ies')) forms.push(`${word.slice(0, -3)}y`)
  if (/(s|x|z|ch|sh|o)es$/.test(word)) forms.push(word.slice(0, -2))
  forms.push(word.slice(0, -1))
  return forms
}
