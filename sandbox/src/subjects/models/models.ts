/** Every model by the name `plan/words/things.ts` uses; a name without one here is drawn as its icon. */
import { bear, bird, fish, penguin, rabbit, snowman } from './animals.ts'
import { cat } from './cat.ts'
import { dog } from './dog.ts'
import { astronaut, dragon } from './figures.ts'
import { apple, burger, cake, mushroom } from './food.ts'
import { butterfly, sunflower, tulip, wineGlass } from './garden.ts'
import { cabin, castle, lighthouse } from './landmarks.ts'
import type { Model } from './model.ts'
import { balloon, book, car, chair, house, lamp, plant, robot, rocket, sofa, tree, vase, watch } from './objects.ts'
import { ball, bottle, headphones, jar, mug, phone } from './products.ts'
import { bicycle, hotAirBalloon, sailboat, sneaker } from './rides.ts'
import { cupcake, pizza } from './treats.ts'
import { elephant, fox, horse, lion, owl, panda, tiger, unicorn, wolf } from './wild.ts'

export const models: Readonly<Record<string, Model>> = {
  dog, cat, rabbit, bear, penguin, bird, fish, snowman,
  fox, wolf, lion, tiger, panda, elephant, horse, unicorn, owl, butterfly, dragon,
  headphones, bottle, mug, jar, phone, sphere: ball,
  apple, cake, burger, mushroom, cupcake, pizza, wineglass: wineGlass,
  car, house, tree, robot, rocket, lamp, plant, chair, sofa, balloon, book, vase, watch,
  lighthouse, castle, cabin, hotairballoon: hotAirBalloon, sailboat, bicycle, sneaker, sunflower, tulip, astronaut,
}
