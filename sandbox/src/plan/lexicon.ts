/**
 * The long list of nouns we have an icon for.
 *
 * Built by `tools/` from curated English nouns and, for scripts other than Latin, from Unicode's own names. Read once,
 * when the first word is looked up. Without the file (a fresh checkout before the build) only the words in `words/` are known.
 */
import { existsSync, readFileSync } from 'node:fs'
import { brotliDecompressSync } from 'node:zlib'

interface Lexicon {
  words: Record<string, string>
  names: Record<string, string>
}

const file = new URL('../../assets/lexicon.json.br', import.meta.url)

let loaded: Lexicon | undefined

function lexicon(): Lexicon {
  loaded ??= existsSync(file) ? (JSON.parse(brotliDecompressSync(readFileSync(file)).toString()) as Lexicon) : { words: {}, names: {} }
  return loaded
}

/** The icon for a noun, as code points joined with `-`. */
export const lookup = (word: string): string | null => (Object.hasOwn(lexicon().words, word) ? lexicon().words[word]! : null)

/** What an icon shows, in English. */
export const iconName = (codePoint: string): string | null => (Object.hasOwn(lexicon().names, codePoint) ? lexicon().names[codePoint]! : null)
