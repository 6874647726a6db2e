/**
 * Phrases whose words mean something else together than apart: "hot air balloon" is no balloon on a string, a mouse
 * by a keyboard has no tail. What stands on the right is a word the reader knows.
 */
const phrases: readonly (readonly [RegExp, string])[] = [
  [/\bhot[- ]?air[- ]balloon(s?)\b/gi, 'hotairballoon$1'],
  [/\b(?:(?:analog(?:ue)?|film|photo|digital|dslr|polaroid|leica)[ -])camera(s?)\b/gi, 'photocamera$1'],
  [/\b(a|an|the|vintage|old|retro|antique|her|his|with|and) camera(s?)\b(?! (?:angle|shot|move|movement|lens|settings|work))/gi, '$1 photocamera$2'],
  [/\b(?:bottles? of wine|wine bottles?|bottles? of (?:water|beer|milk|juice|olive oil|oil|perfume))\b/gi, 'bottle'],
  [/\bglass(es)? of (?:red |white )?wine\b/gi, 'wineglass'],
  [/\bwhite wine\b/gi, 'white wineglass'],
  [/\bdiamond rings?\b/gi, 'ring'],
  [/\b(?:jaguar|mustang|beetle|porsche|ferrari|lamborghini|bmw|tesla|mercedes|audi) (?:sports? )?(car|sedan)s?\b/gi, '$1'],
  [/\bsports? cars?\b/gi, 'sportscar'],
  [/\b(?:baseball|cricket) bats?\b|\bbats? and (?:a )?balls?\b/gi, 'cricketbat'],
  [/\b(?:computer|wireless|gaming|optical) mouse\b|\bmouse (?=(?:on|and|next to|beside|by) (?:a |the )?(?:computer|desk|keyboard|mousepad|laptop))/gi, 'computermouse '],
  [/\bchocolate (cake|cupcake|muffin)(s?)\b/gi, 'chocolate-$1$2'],
  [/\b(?:running|tennis|sports?) shoes?\b/gi, 'sneaker'],
  [/\bpolar bears?\b/gi, 'white bear'],
  [/\bsea lions?\b/gi, 'seal'],
  [/\bmountain bikes?\b/gi, 'mountain bicycle'],
  [/\brocking horses?\b/gi, 'horse'],
  [/\bsand ?castles?\b/gi, 'castle beach'],
  [/\b(?:christmas|xmas) trees?\b/gi, 'christmastree'],
  [/\beiffel tower\b/gi, 'eiffeltower'],
  [/\btokyo tower\b/gi, 'tokyotower'],
  [/\bcoffee (?:table|shop|bar|house)s?\b/gi, 'cafe'],
  [/\b(?:pirate|sailing|tall) ships?\b/gi, 'sailboat'],
  [/\bgift ?box(?:es)?\b/gi, 'gift'],
]

export const withoutHomonyms = (text: string): string => phrases.reduce((left, [pattern, meaning]) => left.replace(pattern, meaning), text)
