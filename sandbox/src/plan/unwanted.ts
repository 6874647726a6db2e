/**
 * What the caller does not want, taken out before the rest is read as things: "no people" shows nobody.
 *
 * "no" is also Portuguese for "in the", so it counts before words that brands and templates rule out, and before nothing else.
 */
const ruledOut = 'people|persons?|humans?|faces?|hands?|text|words?|letters?|lettering|captions?|logos?|watermarks?|signatures?|borders?|frames?|animals?|cars?|buildings?|trees?|plants?|flowers?|clouds?|birds?|furniture|props|clutter|shadows?|reflections?|gradients?'

const unwanted: readonly RegExp[] = [
  // A line of its own, as templates and sessions write it.
  /^[ \t]*(?:avoid|negative(?: prompt)?|do not (?:show|draw|include))\s*:.*$/gimu,
  new RegExp(`(?<![\\p{L}\\p{N}])(?:no|without|never|ohne|keine?|sin|senza|sem)\\s+(?:any\\s+)?(?:${ruledOut})(?:\\s*(?:,|,?\\s(?:and|or|nor))\\s*(?:no\\s+)?(?:${ruledOut}))*(?![\\p{L}\\p{N}])`, 'giu'),
]

/** Pure. */
export const withoutUnwanted = (text: string): string => unwanted.reduce((left, pattern) => left.replace(pattern, ' '), text)
