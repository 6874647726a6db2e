/** Which door an address belongs to, and what may be asked there. Pure; the router proper is Fastify's. */
import type { Incoming, Protocol, Route } from '../protocols/contract.ts'

/** What tells dialects apart where they share an address. */
export type Asking = Pick<Incoming, 'headers' | 'query' | 'path'>

/** A route of one door. `parameters` names the variable parts of its path, in order. */
export interface Choice { door: Protocol; route: Route; parameters: string[] }

/** One method at one address, and everybody who answers there. Addresses that differ only in what they call their parts are one. */
export interface Place {
  method: Route['method']
  /** As the router wants it: the first door's path. */
  url: string
  choices: Choice[]
}

export interface Doors {
  places: Place[]
  /** The door that speaks the dialect of this request; with one door, that one. */
  choose(place: Place, asking: Asking): Choice
  /**
   * Who says no at this address: the door that claims the request, of those that have a prefix that fits; else the one with the longest
   * prefix (of several, one without `claims`); the native one where no prefix fits.
   */
  doorOf(asking: Asking): Protocol
  /** Methods some route answers at this path, for `Allow`; empty where there is no such place. */
  methodsAt(path: string): string[]
}

export function openDoors(unsorted: Protocol[]): Doors {
  const protocols = [...unsorted].sort((a, b) => a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  const native = protocols.find(({ id }) => id === 'native') ?? protocols[0]
  if (!native) throw new Error('A house needs at least one protocol.')
  const prefixes = protocols
    .flatMap(door => door.prefixes.map(prefix => ({ prefix: prefix.replace(/\/+$/, ''), door })))
    // Stable, so of equal length the first by id stays first.
    .sort((a, b) => b.prefix.length - a.prefix.length)
  const places = new Map<string, Place>()
  for (const door of protocols) {
    for (const route of door.routes) {
      const key = `${route.method} ${withoutNames(route.path)}`
      const place = places.get(key)
      const choice = { door, route, parameters: namesIn(route.path) }
      if (!place) places.set(key, { method: route.method, url: writeUrl(route.path), choices: [choice] })
      else if (place.choices.some(one => one.door === door)) throw new Error(`The door ${door.id} has ${route.method} ${route.path} twice. Remove one.`)
      else place.choices.push(choice)
    }
  }
  const patterns = [...places.values()].map(({ method, choices }) => ({ method, pattern: writePattern(choices[0]!.route.path) }))
  return {
    places: [...places.values()],
    choose: ({ choices }, asking) => choices.length === 1 ? choices[0]! : preferred(choices, asking),
    doorOf(asking) {
      const fitting = prefixes.filter(({ prefix }) => asking.path === prefix || asking.path.startsWith(`${prefix}/`))
      const claimed = fitting.find(({ door }) => isClaimed(door, asking))
      if (claimed) return claimed.door
      const longest = fitting.filter(({ prefix }) => prefix.length === fitting[0]!.prefix.length)
      return (longest.find(({ door }) => !door.claims) ?? longest[0])?.door ?? native
    },
    methodsAt(path) {
      const methods = new Set<string>()
      for (const { method, pattern } of patterns) if (pattern.test(path)) for (const one of method === 'GET' ? ['GET', 'HEAD'] : [method]) methods.add(one)
      return [...methods].sort()
    },
  }
}

/** Who claims the request, in the order of ids; else a door without `claims`; else the first. */
const preferred = (choices: Choice[], asking: Asking): Choice =>
  choices.find(({ door }) => isClaimed(door, asking)) ?? choices.find(({ door }) => !door.claims) ?? choices[0]!

/** A door that stumbles over a stranger's headers does not claim them: there is nobody yet who could say what went wrong. */
function isClaimed({ claims }: Protocol, asking: Asking): boolean {
  try {
    return claims?.(asking) ?? false
  } catch {
    return false
  }
}

const partOfPath = /::|:([A-Za-z0-9_]+)|\*/g

/** `/files/:id` and `/files/:name` are one address. */
const withoutNames = (path: string): string => path.replace(partOfPath, part => part === '::' || part === '*' ? part : ':')

/** What the variable parts are called, in order; the rest of a path is `*`. */
const namesIn = (path: string): string[] => [...path.matchAll(partOfPath)].flatMap(([part, name]) => part === '::' ? [] : [name ?? '*'])

/**
 * A route's path as the router wants it.
 *
 * Fastify takes a colon behind a parameter for a part of its name (`:model::generate` is a parameter called `model::generate`), unless
 * the parameter has an expression of its own.
 */
const writeUrl = (path: string): string => path.replace(/(:[A-Za-z0-9_]+)(?=::)/g, (name, _name, at: number) => path[at - 1] === ':' ? name : `${name}(^.+)`)

/** A route's path as a regular expression: `:name` is one segment (or part of one), `*` the rest, `::` a colon. */
function writePattern(path: string): RegExp {
  const source = path.replace(/::|:[A-Za-z0-9_]+|\*|[^A-Za-z0-9_/:*]+/g, part =>
    part === '::' ? ':' : part === '*' ? '.*' : part.startsWith(':') ? '[^/]+?' : part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'))
  return new RegExp(`^${source}/?$`)
}

/** An address without its query, duplicate slashes or trailing slash: as the router sees it. */
export const pathOf = (url: string): string => {
  const path = url.split('?', 1)[0]!.replace(/\/{2,}/g, '/')
  return path.length > 1 ? path.replace(/\/$/, '') : path
}
