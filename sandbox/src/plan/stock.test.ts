/**
 * What people ask a picture maker for, and what must then be in the picture, where, and when.
 *
 * Only subject, place and time: what they do ("eating", "howling") is not drawn and is reported as unmatched.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plan } from './plan.ts'

/** Models by name, icons by code point; the setting named or chosen; the time where one was named. */
const stock: readonly (readonly [prompt: string, shown: string, setting: string, time?: string])[] = [
  ['a lighthouse by the sea at sunset', 'lighthouse', 'ocean', 'sunset'],
  ['a fox in a snowy forest', 'fox', 'forest'],
  ['a majestic lion in the savanna at golden hour', 'lion', 'meadow', 'golden'],
  ['a tiger in the jungle', 'tiger', 'forest'],
  ['an elephant walking through the savanna', 'elephant', 'meadow'],
  ['a white horse running on the beach', 'horse', 'ocean'],
  ['a sailboat on a calm lake', 'sailboat', 'mountains'],
  ['a red bicycle leaning against a wall', 'bicycle', 'meadow'],
  ['a medieval castle on a hill', 'castle', 'meadow'],
  ['a cozy mountain cabin in winter', 'cabin', 'mountains'],
  ['a white sneaker on a pink background', 'sneaker', 'studio'],
  ['a glass of red wine on a table', 'wineglass', 'table'],
  ['a pepperoni pizza on a wooden board', 'pizza', 'table'],
  ['a pink cupcake with sprinkles', 'cupcake', 'table'],
  ['a field of sunflowers', 'sunflower sunflower', 'meadow'],
  ['a red rose', '1f339', 'studio'],
  ['a butterfly on a flower', 'butterfly 1f33a', 'meadow'],
  ['a dragon flying over a castle', 'dragon castle', 'meadow'],
  ['an astronaut on the moon', 'astronaut', 'space', 'night'],
  ['a panda eating bamboo', 'panda', 'forest'],
  ['an owl on a branch at night', 'owl', 'forest', 'night'],
  ['a wolf howling at the moon', 'wolf', 'forest', 'night'],
  ['a unicorn in an enchanted forest', 'unicorn', 'forest'],
  ['a hot air balloon over the mountains at sunrise', 'hotairballoon', 'mountains', 'dawn'],
  ['a cup of coffee on a desk with a laptop', 'mug 1f4bb', 'table'],
  ['a vintage camera on a wooden table', '1f4f7', 'table'],
  ['a stack of pancakes with syrup', '1f95e', 'table'],
  ['a bowl of ramen', '1f35c', 'table'],
  ['sushi on a plate', '1f363', 'table'],
  ['a chocolate cake with strawberries', 'cake 1f353 1f353', 'table'],
  ['a burger with fries', 'burger 1f35f', 'table'],
  ['an avocado toast', '1f951 1f35e', 'table'],
  ['a perfume bottle on marble', 'bottle', 'table'],
  ['a luxury watch product shot', 'watch', 'studio'],
  ['a modern living room with a sofa and plants', 'sofa plant plant', 'room'],
  ['a bookshelf in a library', '', 'room'],
  ['a city skyline at night', '', 'city', 'night'],
  ['a busy street in tokyo at night with neon signs', '', 'city', 'night'],
  ['the eiffel tower in paris', '1f5fc', 'city'],
  ['new york skyline at sunset', '', 'city', 'sunset'],
  ['a tropical beach with palm trees', '1f334 1f334', 'ocean'],
  ['a waterfall in the jungle', '', 'mountains'],
  ['a desert with cactus', '1f335', 'desert'],
  ['a starry night sky over a lake', '', 'mountains', 'night'],
  ['a rainy street with an umbrella', '2602', 'city', 'overcast'],
  ['a train in the mountains', '1f686', 'mountains'],
  ['an airplane in the sky', '2708', 'sky'],
  ['a yellow taxi in new york', '1f695', 'city'],
  ['a motorcycle on a desert road', '1f3cd', 'desert'],
  ['a vintage car on a country road', 'car', 'meadow'],
  ['a dolphin jumping out of the ocean', '1f42c', 'ocean'],
  ['a whale underwater', '1f40b', 'underwater'],
  ['a colorful parrot in the jungle', '1f99c', 'forest'],
  ['a penguin on ice', 'penguin', 'snow'],
  ['a golden retriever puppy playing in the park', 'dog', 'meadow'],
  ['a kitten sleeping on a sofa', 'cat sofa', 'room'],
  ['a businesswoman in an office', 'person', 'room'],
  ['a chef in a kitchen', 'person', 'table'],
  ['a child reading a book', 'person book', 'table'],
  ['a family having a picnic in the park', 'person person', 'meadow'],
  ['a wedding couple on the beach', 'person person', 'ocean'],
  ['a robot playing guitar', 'robot 1f3b8', 'studio'],
  ['a christmas tree with gifts', '1f384 1f381 1f381', 'room'],
  ['a snowman in the snow', 'snowman', 'snow'],
  ['a halloween pumpkin at night', '1f383', 'forest', 'night'],
  ['a bouquet of flowers in a vase', '1f490 vase', 'table'],
  ['a bee on a flower', '1f41d 1f33a', 'meadow'],
  ['a mouse on a computer desk', '1f5b1 1f4bb', 'table'],
  ['a jaguar car', 'car', 'studio'],
  ['a house by a lake', 'house', 'mountains'],
  ['cherry blossom tree in spring', '1f338 tree', 'meadow'],
  ['a bottle of water', 'bottle', 'studio'],
  ['a diamond ring', '1f48d', 'studio'],
]

const shownIn = (prompt: string) => {
  const { subjects, setting, time, named } = plan(prompt, { width: 1024, height: 1024 })
  const shown = subjects.map((subject) => (subject.kind === 'model' ? subject.model : subject.kind === 'icon' ? subject.icon : 'person')).join(' ')
  return { shown, setting, time: named.time ? time : undefined }
}

for (const [prompt, shown, setting, time] of stock) {
  test(`shows ${prompt}`, () => assert.deepEqual(shownIn(prompt), { shown, setting, time }))
}

/** Words that look like another thing's name. */
const homonyms: readonly (readonly [prompt: string, shown: string])[] = [
  ['leather boots', '1f97e 1f97e'],
  ['a pirate ship in a storm', 'sailboat'],
  ['baseball bat', '1f3cf'],
  ['a bottle of wine', 'bottle'],
  ['a gaming mouse', '1f5b1'],
  ['a mouse in the meadow', '1f401'],
  ['a polar bear', 'bear'],
  ['running shoes', 'sneaker'],
  ['camera angle from above, a dog', 'dog'],
  ['a mercedes car', 'car'],
]

for (const [prompt, shown] of homonyms) {
  test(`is not fooled by ${prompt}`, () => assert.equal(shownIn(prompt).shown, shown))
}
