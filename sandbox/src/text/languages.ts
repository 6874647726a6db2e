/** Languages as people name them in an instruction. Pure. */

/** What the phrase table knows. */
export const known = ['de', 'fr', 'es', 'it', 'ja'] as const
export type Language = (typeof known)[number]

const names: Record<Language, string[]> = {
  de: ['german', 'deutsch', 'de', 'de-de', 'de-at', 'de-ch'],
  fr: ['french', 'français', 'francais', 'fr', 'fr-fr', 'fr-ca', 'fr-ch'],
  es: ['spanish', 'español', 'espanol', 'castilian', 'es', 'es-es', 'es-mx'],
  it: ['italian', 'italiano', 'it', 'it-it'],
  ja: ['japanese', '日本語', 'ja', 'ja-jp', 'jp'],
}

/** `known` where the table has it; `tag` is how the language is marked where a text stays as it was. */
export interface Target { known: Language | null; tag: string }

/** A language by its name or code, as it stands in an instruction: `German`, `de`, `German (de)`. */
export function readLanguage(text: string): Target {
  const [, name = text, code] = /^(.+?)\s*\(([A-Za-z-]{2,12})\)$/.exec(text.trim()) ?? []
  const wanted = [name, code ?? ''].map(one => one.trim().toLowerCase())
  const language = known.find(one => wanted.some(word => names[one].includes(word))) ?? null
  return { known: language, tag: language ?? (code ?? name).trim().toLowerCase() }
}
