import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plan, understood } from './plan.ts'
import type { Plan } from './plan.ts'

const read = (prompt: string, seed?: number, variation?: number): Plan => plan(prompt, { width: 1024, height: 1024, seed, variation })

/** `2 dog #d99` : how many, which model or icon or person, which colour. */
const shown = (p: Plan): string[] => {
  const names = p.subjects.map((s) => (s.kind === 'person' ? 'person' : `${s.kind === 'model' ? s.model : s.icon}${s.colour ? ` ${s.colour}` : ''}`))
  return [...new Set(names)].map((name) => { const n = names.filter((other) => other === name).length; return n > 1 ? `${n} ${name}` : name })
}

interface Wanted { shows?: string[]; setting?: string; time?: string; style?: string; kind?: string; texts?: string[]; camera?: string; weather?: string[]; background?: string; unmatched?: string[] }

const cases: [prompt: string, wanted: Wanted][] = [
  ['A golden retriever sitting in a sunlit meadow, photorealistic, 4K', { shows: ['dog #d9a04e'], setting: 'meadow', time: 'golden', unmatched: [] }],
  ['Minimalist product shot of wireless headphones on a white background', { shows: ['headphones'], setting: 'studio', background: '#f6f6f4' }],
  ['an aerial view of a dense urban skyline with glass towers reflecting a pink sunset', { shows: [], setting: 'city', time: 'pink', camera: 'aerial', unmatched: [] }],
  ['poster that says "GRAND OPENING" in gold art-deco letters', { kind: 'poster', texts: ['GRAND OPENING'], shows: [] }],
  ['infographic with 3 steps: grind the beans, pour hot water, enjoy your coffee', { kind: 'infographic' }],
  ['portrait of two characters: a bearded wizard and a girl with curly red hair, forest background', { shows: ['2 person'], setting: 'forest' }],
  ['a latte in a teal mug on a wooden table in a cozy cafe at night, bokeh', { shows: ['mug #1f8f8f'], setting: 'table', time: 'night' }],
  ['海报，写着“夏日特卖”，蓝色背景，草莓和柠檬', { kind: 'poster', texts: ['夏日特卖'], shows: ['1f353', '1f34b'], background: '#2f6fd0', unmatched: [] }],
  ['قطة بيضاء على الشاطئ عند الغروب', { shows: ['cat #f6f6f4'], setting: 'ocean', time: 'sunset' }],
  ['पहाड़ों के बीच एक झील, सूर्योदय', { shows: [], setting: 'mountains', time: 'dawn' }],
  ['desert dunes at golden hour with a camel', { shows: ['1f42a'], setting: 'desert', time: 'golden' }],
  ['logo for a coffee brand named "Ember & Oak"', { kind: 'logo', texts: ['Ember & Oak'], shows: ['mug'] }],
  ['app icon of a rocket', { kind: 'icon', shows: ['rocket'] }],
  ['seamless pattern of strawberries and lemons on mint background', { kind: 'pattern', shows: ['1f353', '1f34b'], background: '#a6dcc2' }],
  ['watercolor of a sailboat on the ocean at sunset', { style: 'watercolor', shows: ['sailboat'], setting: 'ocean', time: 'sunset' }],
  ['oil painting of mountains and a lake', { style: 'oil', shows: [], setting: 'mountains' }],
  ['a red rose', { shows: ['1f339 #d2352f'], setting: 'studio' }],
  ['an orange cat and an orange on a table', { shows: ['cat #ee7d2b', '1f34a'], setting: 'table' }],
  ['three red cars in the city at night, rain', { shows: ['3 car #d2352f'], setting: 'city', time: 'night', weather: ['rain'] }],
  ['a red car and a blue car', { shows: ['car #d2352f', 'car #2f6fd0'] }],
  ['un perro negro en la playa', { shows: ['dog #202124'], setting: 'ocean' }],
  ['un chat noir dans la forêt', { shows: ['cat #202124'], setting: 'forest' }],
  ['ein roter Apfel auf dem Tisch', { shows: ['apple #d2352f'], setting: 'table' }],
  ['赤いリンゴ', { shows: ['apple #d2352f'], setting: 'table' }],
  ['草地上的三只小狗，日落', { shows: ['3 dog'], setting: 'meadow', time: 'sunset' }],
  ['белый кот в лесу ночью', { shows: ['cat #f6f6f4'], setting: 'forest', time: 'night' }],
  ['लाल कार शहर में', { shows: ['car #d2352f'], setting: 'city' }],
  ['빨간 사과', { shows: ['apple #d2352f'] }],
  ['macro photo of a mushroom in an autumn forest, fog', { shows: ['mushroom'], setting: 'forest', camera: 'close', weather: ['fog'] }],
  ['a snowman', { shows: ['snowman'], setting: 'snow' }],
  ['an astronaut', { shows: ['astronaut'], setting: 'space' }],
  ['portrait of an astronaut', { shows: ['person'], setting: 'space' }],
  ['five dogs', { shows: ['5 dog'] }],
  ['two hundred and ninety cats', { shows: ['2 cat'], unmatched: ['hundred', 'ninety'] }],
  ['palm trees on a beach', { shows: ['2 1f334'], setting: 'ocean' }],
  ['a steampunk octopus playing chess with a Victorian lady in a library', { setting: 'room', unmatched: ['steampunk', 'playing', 'victorian'] }],
  ['qwzx blorf', { shows: [], setting: 'abstract', unmatched: ['qwzx', 'blorf'] }],
  ['black and white photo of a bicycle', { style: 'bw', shows: ['bicycle'] }],
  ['pixel art of a dragon and a castle', { style: 'pixel', shows: ['dragon', 'castle'] }],
  ["don't draw 'Café Luna' on the sign", { texts: ['Café Luna'], kind: 'poster' }],
  ['', { shows: [], setting: 'abstract', unmatched: [] }],
]

for (const [prompt, wanted] of cases) {
  test(`reads ${prompt ? `"${prompt}"` : 'nothing'}`, () => {
    const p = read(prompt)
    const got: Record<string, unknown> = { ...p, shows: shown(p) }
    assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((key) => [key, got[key]])), wanted)
  })
}

test('people are as described', () => {
  const [wizard, girl] = read('a bearded wizard with glasses and a girl with curly red hair in a green dress').subjects.map((s) => (s.kind === 'person' ? s.person : null))
  assert.deepEqual([wizard!.beard, wizard!.glasses, wizard!.hat], [true, true, 'wizard'])
  assert.deepEqual([girl!.gender, girl!.hairStyle, girl!.hair, girl!.outfit], ['female', 'curly', '#9c3a1a', '#3f9b4f'])
})

test('steps keep their labels, or only their number', () => {
  assert.deepEqual(read('infographic with 3 steps: grind the beans, pour hot water, enjoy your coffee').steps, ['grind the beans', 'pour hot water', 'enjoy your coffee'])
  assert.deepEqual(read('infographic about how to bake bread in 4 steps').steps, ['', '', '', ''])
  assert.equal(read('infographic about how to bake bread in 4 steps').topic, 'How to bake bread')
})

test('the same prompt and seed give the same plan, another seed or variation another', () => {
  assert.deepEqual(read('a dog', 7), read('a dog', 7))
  assert.deepEqual(read('a dog'), read('a dog'))
  const seeds = [read('a dog', 7).seed, read('a dog', 8).seed, read('a dog', 7, 1).seed, read('a cat', 7).seed]
  assert.equal(new Set(seeds).size, 4)
})

test('a plan is plain JSON', () => {
  const p = read('two people and a red car in the rain, "HELLO"', 3)
  assert.deepEqual(JSON.parse(JSON.stringify(p)), p)
})

test('nothing is claimed that was not said', () => {
  const told = understood(read('a dog'))
  assert.deepEqual([told.subjects, told.setting, told.time, told.style], [['dog'], null, null, null])
})

test('what is ruled out is not drawn', () => {
  const labels = (prompt: string) => shown(read(prompt))
  assert.deepEqual(labels('a desk lamp on a plain background, no people'), labels('a desk lamp on a plain background'))
  assert.deepEqual(labels('a vase\n\nBrand: calm, no text or flowers\n\nAvoid: dogs, people'), labels('a vase'))
  assert.deepEqual(labels('a beach without people, cars and birds'), labels('a beach'))
  // "no" is Portuguese for "in the"; and who is wanted is drawn.
  assert.deepEqual(labels('um gato no parque'), labels('um gato em um parque'))
  assert.deepEqual(labels('a portrait of two people'), ['2 person'])
})

test('with one seed a poster is composed alike for every headline', () => {
  const [german, japanese] = ['Sommer-Sale', 'サマーセール'].map(headline => read(`A poster of a sailing boat with the headline "${headline}" in large letters`, 11))
  assert.equal(german!.seed, japanese!.seed)
  assert.notEqual(read('A poster of a boat that says "A"').seed, read('A poster of a boat that says "B"').seed)
})

test('no prompt breaks the reader', () => {
  for (const prompt of ['"', '""', "'", '«»', '🙂🙂', '-', '((((', 'a'.repeat(5000), '的'.repeat(500), '\u0000\u202e', 'says: A', '9'.repeat(40), 'infographic:', 'infographic: ,,,,']) {
    const p = read(prompt)
    assert.ok(p.subjects.length <= 6 && p.texts.every((text) => text.length <= 120))
  }
})
