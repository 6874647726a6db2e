/**
 * Chance for tests that try much at random: the same draws in every run, unless one is told to look further.
 *
 * A draw that finds something new must not do so by refusing a change that has nothing to do with it, so a run without settings draws what the
 * last one drew. Who wants to find something asks for other draws and more of them, and repeats what failed by the seed it was told:
 *
 * @example TEST_SEED=any TEST_RUNS=50 node --test server/src/domain/graph/graph.test.ts
 */

const asked = process.env.TEST_SEED
const seed = asked === undefined ? 1 : asked === 'any' ? Date.now() | 0 : Number(asked)
const times = Number(process.env.TEST_RUNS ?? 1)
if (!Number.isInteger(seed)) throw new Error(`TEST_SEED must be a whole number or "any", not ${asked}.`)
if (!(Number.isInteger(times) && times > 0)) throw new Error(`TEST_RUNS says how many times as much is drawn: a whole number from 1, not ${process.env.TEST_RUNS}.`)

/** What `fc.assert` is told: how often it draws, and from which seed. It names the seed, and the way to the smallest case, where it fails. */
export const draws = (count: number): { numRuns: number; seed: number } => ({ numRuns: count * times, seed })

/** Numbers from 0 to below 1, the same ones for the same seed: for what is simulated inside one draw. */
export const chanceOf = (start: number) => (): number => { start = Math.imul(start ^ start >>> 15, 2246822507) + 0x9e3779b9 | 0; return (start >>> 0) / 2 ** 32 }
