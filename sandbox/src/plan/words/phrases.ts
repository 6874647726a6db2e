/**
 * What is said in whole phrases: time of day, style, weather, camera, kind of picture.
 *
 * Order matters within a list: the first line that is found wins, so "pink sunset" stands before "sunset".
 */

export type Time = 'day' | 'sunset' | 'pink' | 'dawn' | 'golden' | 'night' | 'storm' | 'overcast'
export type Style = 'photo' | 'watercolor' | 'oil' | 'pencil' | 'cartoon' | 'pixel' | 'bw' | 'vintage' | 'lineart' | 'duotone' | 'cyber' | 'popart'
export type Weather = 'rain' | 'snowfall' | 'fog'
export type Kind = 'scene' | 'poster' | 'infographic' | 'logo' | 'icon' | 'pattern'
export type Camera = 'aerial' | 'close' | 'normal'
/** How letters look. */
export type Lettering = 'display' | 'deco' | 'neon' | 'script' | 'serif' | 'pixel' | 'marker' | 'roman' | 'sans' | 'cond'

type Phrases<T> = readonly (readonly [T, string])[]

export const times: Phrases<Time> = [
  ['pink', 'pink sunset|pink sky|pink dusk|粉色夕阳|粉色的天空'],
  ['golden', 'golden hour|sunlit|sun-lit|sunny|golden light|afternoon|阳光|晴天|مشمس|धूप|soleado|ensoleillé|sonnig'],
  ['sunset', 'sunsets?|dusk|evening|twilight|日落|夕阳|黄昏|傍晚|غروب|الغروب|सूर्यास्त|शाम|atardecer|ocaso|coucher de soleil|sonnenuntergang|pôr do sol|tramonto|закат|закате|夕日|夕焼け|일몰|노을'],
  ['dawn', 'sunrise|dawn|morning|misty|日出|清晨|早晨|شروق|الشروق|सूर्योदय|सुबह|amanecer|lever du soleil|aube|sonnenaufgang|morgen|alba|рассвет|朝|日の出|일출|아침'],
  ['night', 'night|nighttime|midnight|neon|moonlit|moonlight|starry|moon|夜|夜晚|月亮|ليل|الليل|ليلاً|रात|noche|luna|nuit|nacht|noite|notte|ночь|ночью|月夜|밤'],
  ['storm', 'storm|stormy|thunderstorm|thunder|lightning storm|dramatic clouds|暴风|暴风雨|عاصفة|तूफान|tormenta|orage|sturm|буря|嵐'],
  ['overcast', 'overcast|cloudy|rainy|rain|raining|foggy|fog|雨|下雨|雾|مطر|المطر|बारिश|lluvia|pluie|regen|chuva|pioggia|дождь|雨の日|비'],
  ['day', 'daylight|daytime|noon|midday|clear sky|blue sky|白天|نهار|दिन'],
]

export const styles: Phrases<Style> = [
  ['watercolor', 'water ?colou?rs?|水彩画?|ألوان مائية|जलरंग|वॉटरकलर|acuarela|aquarelle?|aquarell|acquerello|акварель|수채화'],
  ['oil', 'oil painting|oil on canvas|impressionist|impressionism|van gogh|painting|油画|لوحة زيتية|तैल चित्र|pintura al óleo|peinture à l.huile|ölgemälde|масло|油絵|유화'],
  ['pencil', 'pencil|sketch|charcoal drawing|graphite|drawing of|素描|铅笔画?|رسم بالرصاص|पेंसिल|boceto|lápiz|crayon|bleistift|карандаш|鉛筆|연필'],
  ['pixel', 'pixel[- ]?art|8-?bit|16-?bit|pixelated|像素画?|بكسل|ドット絵|픽셀'],
  ['bw', 'black and white|black-and-white|monochrome|b&w|noir film|黑白|أبيض وأسود|श्वेत-श्याम|blanco y negro|noir et blanc|schwarzwei(?:ß|ss)|白黒|흑백'],
  ['vintage', 'vintage|retro|film grain|sepia|polaroid|kodak|1970s|1960s|复古|قديم|レトロ|빈티지'],
  ['cartoon', 'cartoon|anime|comic|cel[- ]shaded|manga|ghibli|动漫|卡通|كرتون|कार्टून|dibujo animado|dessin animé|アニメ|만화'],
  ['lineart', 'line art|line-art|colou?ring page|outline only|line drawing|线稿|線画'],
  ['duotone', 'duotone|risograph|riso'],
  ['cyber', 'cyberpunk|synthwave|vaporwave|赛博朋克?|サイバーパンク|사이버펑크'],
  ['popart', 'pop[- ]art|halftone|warhol|波普'],
]

export const weathers: Phrases<Weather> = [
  ['rain', 'rain|rainy|raining|downpour|雨|下雨|مطر|المطر|बारिश|lluvia|pluie|regen|chuva|pioggia|дождь|비 오는'],
  ['snowfall', 'snowing|snowfall|snowflakes|blizzard|falling snow|下雪|雪が降る'],
  ['fog', 'fog|foggy|mist|misty|haze|雾|ضباب|कोहरा|niebla|brouillard|nebel|туман|霧|안개'],
]

export const cameras: Phrases<Camera> = [
  ['aerial', "aerial|bird'?s?[- ]eye|drone|from above|overhead|航拍|俯瞰|جوي|हवाई|aérea|vista aérea|vue aérienne|luftaufnahme|空撮"],
  ['close', 'close[- ]?up|macro|特写|macro shot|primer plano|gros plan|nahaufnahme|アップ'],
]

export const kinds: Phrases<Kind> = [
  ['infographic', 'infographics?|flow ?chart|信息图|diagram|step[- ]by[- ]step|infografía|infographie|infografik|إنفوجرافيك|इन्फोग्राफिक|インフォグラフィック'],
  ['logo', 'logo|logotype|emblem|标志|شعار|लोगो|logotipo|ロゴ|로고|логотип'],
  ['icon', 'app icon|icon|favicon|图标|أيقونة|आइकन|icono|icône|アイコン|아이콘|иконка'],
  ['pattern', 'pattern|seamless tile|wallpaper tile|图案|نمط|पैटर्न|patrón|motif|muster|模様|패턴|паттерн'],
  ['poster', '(?:movie|film|concert|event|festival|travel) poster|poster|banner|flyer|flier|sign|signage|billboard|book cover|album cover|invitation|greeting card|business card|magazine cover|海报|横幅|招牌|请柬|ملصق|لافتة|पोस्टर|बैनर|cartel|póster|pancarta|affiche|bannière|plakat|cartaz|manifesto|плакат|постер|баннер|ポスター|看板|포스터'],
]

export const letterings: Phrases<Lettering> = [
  ['deco', 'art[- ]?deco|gatsby|1920s?|roaring twenties'],
  ['neon', 'neon|霓虹|نيون|नियॉन|ネオン|네온'],
  ['script', 'script|handwrit\\w+|cursive|calligraph\\w+|手写'],
  ['pixel', 'pixel|8-?bit|arcade'],
  ['marker', 'brush|marker|graffiti|chalk'],
  ['roman', 'roman|classic|epic|fantasy'],
  ['serif', 'serif|elegant|luxury|wedding|vintage'],
  ['sans', 'minimal\\w*|modern|clean|sans'],
  ['cond', 'condensed|newspaper|headline'],
]

/** Details a scene can draw when they are named. */
export const features: Phrases<string> = [
  ['lake', 'lakes?|fjord|river|reflections?|lakeside|湖|湖泊|湖边|河|بحيرة|झील|नदी|lago|lac|see|озеро|호수'],
  ['sea', 'sea|ocean|bay|海|بحر|समुद्र|mar|mer|meer'],
  ['beach', 'beach|shore|seashore|sand|sandy|coast|海滩|海边|沙滩|شاطئ|الشاطئ|playa|plage|strand|praia|spiaggia|пляж|ビーチ|浜辺|해변'],
  ['autumn', 'autumn|fall leaves|autumnal|fall foliage|october|秋天?|خريف|पतझड़|otoño|automne|herbst|autunno|осень|가을'],
  ['wheat', 'wheat|barley|harvest|麦田|قمح|गेहूं|trigo|blé|weizen'],
  ['flowers', 'flowers?|wildflowers|blossoms?|daisies|poppies|花田|鲜花|زهور|फूल|फूलों|flores|fleurs|blumen|fiori|цветы|花|꽃'],
  ['marble', 'marble|大理石|رخام|mármol|marbre|marmor'],
  ['cafe', 'cafe|café|coffee shop|bokeh|restaurant|bar|咖啡馆'],
  ['bokeh', 'bokeh|fairy lights|blurred lights'],
  ['glass', 'glass towers|glass|玻璃'],
  ['pastel', 'pastel|soft colou?rs'],
  ['snow', 'snow|snowy|snow-capped|winter|雪|雪山|ثلج|बर्फ|nieve|neige|schnee|снег'],
  ['books', 'library|books|bookstore|bookshop|bookshelf|bookshelves|图书馆|مكتبة'],
  ['gold', 'gold|gilded|金色|ذهبي|सुनहरा|dorado|doré'],
  ['skyline', 'skyline|cityscape|天际线|panorama'],
  ['minimal', 'minimal\\w*'],
  ['palm', 'tropical|palm|palms|island'],
]

const isLatin = /^[\x20-\x7e\u00c0-\u024f]+$/
const isIdeographic = /[\u3040-\u9fff\uac00-\ud7af]/

const compiled = new Map<string, RegExp[]>()

/** One pattern for each way of writing: whole words where the script has word gaps, anywhere in the text where it has none. */
function patterns(line: string): RegExp[] {
  let known = compiled.get(line)
  if (!known) {
    const phrases = line.split(/\|(?![^(]*\))/)
    const latin = phrases.filter((phrase) => isLatin.test(phrase))
    const ideographic = phrases.filter((phrase) => isIdeographic.test(phrase))
    const other = phrases.filter((phrase) => !isLatin.test(phrase) && !isIdeographic.test(phrase))
    known = []
    if (latin.length > 0) known.push(new RegExp(`(?<![\\p{L}\\p{N}])(?:${latin.join('|')})(?![\\p{L}\\p{N}])`, 'u'))
    if (ideographic.length > 0) known.push(new RegExp(ideographic.join('|'), 'u'))
    // Arabic writes "and" and "in" onto the word.
    if (other.length > 0) known.push(new RegExp(`(?<![\\p{L}\\p{M}])[\u0648\u0628]?(?:${other.join('|')})(?![\\p{L}\\p{M}])`, 'u'))
    compiled.set(line, known)
  }
  return known
}

/** Every value whose phrase is in the text, with the words that said so. */
export function findAll<T>(text: string, phrases: Phrases<T>): { value: T; words: string }[] {
  const found: { value: T; words: string }[] = []
  for (const [value, line] of phrases) {
    for (const pattern of patterns(line)) {
      const words = pattern.exec(text)?.[0]
      if (words) {
        found.push({ value, words })
        break
      }
    }
  }
  return found
}
