/** What the caller wants written, taken out of the prompt before the rest is read as things. */
export interface Quoted {
  texts: string[]
  /** The prompt without them. */
  rest: string
}

/** Opening mark, closing mark; the straight and low ones close with several. */
const pairs: readonly (readonly [string, string])[] = [['"', '"'], ['“', '”'], ['„', '“”"'], ['«', '»'], ['»', '«'], ['「', '」'], ['『', '』'], ['《', '》'], ['‹', '›'], ['‘', '’']]

const textMax = 120

/** After these words a run of capitalised words is meant literally, quoted or not. */
const announced = /\b(?:says?|saying|reads?|reading|titled|text|caption(?:ed)?|named|called)\s*:?\s+((?:[A-Z0-9][\p{L}\p{N}&!'’.-]*[ ]?){1,6})/u

export function takeQuotes(prompt: string): Quoted {
  const texts: string[] = []
  let rest = ''
  for (let i = 0; i < prompt.length; i++) {
    const pair = pairs.find(([open]) => open === prompt[i])
    const end = pair ? closing(prompt, i + 1, pair[1]) : prompt[i] === "'" && /^$|[\s:(,]/.test(prompt[i - 1] ?? '') ? apostrophe(prompt, i + 1) : -1
    if (end > i + 1 && end - i <= textMax + 1) {
      const text = prompt.slice(i + 1, end).trim()
      if (text) texts.push(text)
      rest += ' '
      i = end
    } else {
      rest += prompt[i]
    }
  }
  const bare = texts.length === 0 ? announced.exec(rest) : null
  if (bare) {
    texts.push(bare[1]!.trim().replace(/[.]$/, ''))
    rest = rest.replace(bare[1]!, ' ')
  }
  return { texts, rest }
}

function closing(prompt: string, from: number, marks: string): number {
  for (let i = from; i < prompt.length && i - from <= textMax; i++) if (marks.includes(prompt[i]!)) return i
  return -1
}

/** A straight apostrophe closes a quotation only at a word's end; "don't" is one word. */
function apostrophe(prompt: string, from: number): number {
  for (let i = from; i < prompt.length && i - from <= textMax; i++) {
    if (prompt[i] === "'" && /^$|[\s,.;:)!?]/.test(prompt[i + 1] ?? '')) return i
  }
  return -1
}
