/** Every model by the name `plan/words/things.ts` uses; a name without one here is drawn as its icon. */
import { bear, bird, fish, penguin, rabbit, snowman } from './animals.ts'
import { cat } from './cat.ts'
import { dog } from './dog.ts'
import { apple, burger, cake, mushroom } from './food.ts'
import type { Model } from './model.ts'
import { balloon, book, car, chair, house, lamp, plant, robot, rocket, sofa, tree, vase, watch } from './objects.ts'
import { ball, bottle, headphones, jar, mug, phone } from './products.ts'

export const models: Readonly<Record<string, Model>> = {
  dog, cat, rabbit, bear, penguin, bird, fish, snowman,
  headphones, bottle, mug, jar, phone, sphere: ball,
  apple, cake, burger, mushroom,
  car, house, tree, robot, rocket, lamp, plant, chair, sofa, balloon, book, vase, watch,
}
