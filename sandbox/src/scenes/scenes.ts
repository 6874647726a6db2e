/** Every setting's scene. A new setting is one file and one line here; the compiler asks for the line. */
import type { Setting } from '../plan/words/settings.ts'
import { abstract } from './abstract.ts'
import { city } from './city.ts'
import { forest } from './forest.ts'
import { desert, mountains, sky, snow } from './land.ts'
import { meadow } from './meadow.ts'
import { ocean } from './ocean.ts'
import { room } from './room.ts'
import type { SceneMaker } from './scene.ts'
import { space } from './space.ts'
import { shelf, studio } from './studio.ts'
import { table } from './table.ts'
import { underwater } from './underwater.ts'

export const scenes: Readonly<Record<Setting, SceneMaker>> = { meadow, mountains, ocean, city, forest, desert, snow, space, underwater, table, shelf, room, studio, sky, abstract }
