/** People: what a word says about the person, before chance fills in the rest. */
export interface Trait {
  gender?: 'female' | 'male'
  hair?: string
  hairStyle?: HairStyle
  outfit?: string
  beard?: boolean
  glasses?: boolean
  hat?: Hat
  /** How many people the word means. */
  count?: number
}
export type HairStyle = 'short' | 'long' | 'curly' | 'bun' | 'bald'
export type Hat = 'wizard' | 'cap' | 'helmet' | 'crown' | 'chef'
export type Skin = 'light' | 'medium' | 'tan' | 'dark' | 'deep'

const male: Trait = { gender: 'male' }
const female: Trait = { gender: 'female' }

const groups: readonly (readonly [string, Trait])[] = [
  // Children are neither bald nor bearded.
  ['boy son schoolboy 男孩 少年 ولد लड़का niño chico garçon junge menino ragazzo мальчик 소년', { gender: 'male', hairStyle: 'short', beard: false }],
  ['child kid toddler schoolchild 孩子 طفل बच्चा enfant kind criança bambino ребёнок 子供 아이', { hairStyle: 'short', beard: false, glasses: false }],
  ['man boy guy gentleman father dad businessman husband son brother actor groom prince boyfriend waiter fisherman 男人 男孩 男士 父亲 رجل ولد आदमी लड़का पुरुष hombre niño chico homme garçon mann junge homem menino uomo ragazzo мужчина мальчик 男 少年 남자 소년', male],
  ['woman girl lady mother mom businesswoman wife daughter sister actress bride girlfriend waitress dancer ballerina model 女人 女孩 女士 母亲 美女 امرأة فتاة بنت औरत महिला लड़की mujer niña chica femme fille frau mädchen mulher menina donna ragazza женщина девушка девочка 女 少女 女性 여자 소녀', female],
  ['king', { gender: 'male', hat: 'crown', beard: true, outfit: '#7a1f3d' }],
  ['queen princess', { gender: 'female', hat: 'crown', hairStyle: 'long', outfit: '#8e3a7d' }],
  ['person human child kid baby student teacher artist musician scientist worker farmer nurse athlete runner traveler tourist hiker photographer warrior samurai ninja hero 人 孩子 学生 شخص طفل व्यक्ति बच्चा बच्चे persona niños personne enfant person kind pessoa criança persona bambino человек ребёнок 人物 子供 사람 아이', {}],
  ['people couple friends family twins lovers 人们 朋友 情侣 家庭 ناس أصدقاء लोग दोस्त परिवार gente pareja amigos gens amis leute freunde люди друзья 友達 친구', { count: 2 }],
  ['astronaut cosmonaut spaceman 宇航员 رائد अंतरिक्षयात्री astronauta astronaute астронавт космонавт 宇宙飛行士 우주비행사', { hat: 'helmet', outfit: '#e6e8ee' }],
  ['wizard sorcerer mage magician 巫师 ساحر जादूगर mago magicien zauberer волшебник 魔法使い 마법사', { gender: 'male', hat: 'wizard', beard: true, hair: '#c9c9c9', outfit: '#5a3d9a' }],
  ['witch sorceress 女巫 ساحرة bruja sorcière hexe strega ведьма 魔女', { gender: 'female', hat: 'wizard', hairStyle: 'long', outfit: '#33204a' }],
  ['chef cook baker 厨师 طباخ रसोइया cocinero koch 料理人', { hat: 'chef', outfit: '#f2f2f0' }],
  ['doctor surgeon 医生 طبيب डॉक्टर médico médecin arzt врач 医者 의사', { outfit: '#eef3f5' }],
  ['developer programmer engineer nerd professor librarian', { glasses: true }],
  ['grandfather grandpa 爷爷 جد दादा abuelo', { gender: 'male', beard: true, hair: '#c9c9c9' }],
  ['grandmother grandma 奶奶 جدة दादी abuela', { gender: 'female', hairStyle: 'bun', hair: '#d0d0d2', glasses: true }],
  ['santa', { gender: 'male', beard: true, hair: '#f2f2f2', hat: 'cap', outfit: '#b3202a' }],
]

export const people = new Map<string, Trait>()
for (const [words, trait] of groups) for (const word of words.split(' ')) if (!people.has(word)) people.set(word, trait)

/** Words that ask for people without naming one. */
export const anyone = new Map([['portrait', 1], ['headshot', 1], ['selfie', 1], ['character', 1], ['characters', 2], ['肖像', 1], ['retrato', 1], ['portrat', 1], ['porträt', 1], ['ritratto', 1], ['портрет', 1], ['肖像画', 1]])

export const hairColours = new Map([
  ['blonde', '#d9b36a'], ['blond', '#d9b36a'], ['ginger', '#b5502a'], ['redhead', '#a8431f'], ['brunette', '#4a2c1a'],
  ['old', '#c9c9c9'], ['elderly', '#c9c9c9'], ['aged', '#c9c9c9'], ['gray-haired', '#b5b5b8'], ['grey-haired', '#b5b5b8'], ['red-haired', '#a8431f'], ['dark-haired', '#241712'], ['black-haired', '#1b1614'], ['brown-haired', '#5a3420'],
])

export const skins = new Map<string, Skin>([
  ['dark-skinned', 'deep'], ['black', 'deep'], ['african', 'deep'], ['indian', 'tan'], ['asian', 'medium'], ['chinese', 'medium'], ['japanese', 'medium'],
  ['korean', 'medium'], ['latina', 'tan'], ['latino', 'tan'], ['arab', 'tan'], ['european', 'light'], ['pale', 'light'], ['freckled', 'light'], ['tanned', 'tan'],
])
