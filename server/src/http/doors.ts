/** Which door an address belongs to, and what may be asked there. Pure; the router proper is Fastify's. */
import type { Protocol, Route } from '../protocols/contract.ts'

export interface Doors {
  /** The door whose prefix is the longest that fits; the native one where none does. */
  doorOf(path: string): Protocol
  /** Methods some route answers at this path, for `Allow`; empty where there is no such place. */
  methodsAt(path: string): string[]
}

export function openDoors(protocols: Protocol[]): Doors {
  const native = protocols.find(({ id }) => id === 'native') ?? protocols[0]
  if (!native) throw new Error('A house needs at least one protocol.')
  const prefixes = protocols
    .flatMap(protocol => protocol.prefixes.map(prefix => ({ prefix: prefix.replace(/\/+$/, ''), protocol })))
    .sort((a, b) => b.prefix.length - a.prefix.length)
  const places = protocols.flatMap(({ routes }) => routes).map(route => ({ route, pattern: writePattern(route.path) }))
  return {
    doorOf: path => prefixes.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`))?.protocol ?? native,
    methodsAt(path) {
      const methods = new Set<string>()
      for (const { route, pattern } of places) if (pattern.test(path)) for (const method of methodsOf(route)) methods.add(method)
      return [...methods].sort()
    },
  }
}

const methodsOf = ({ method }: Route): string[] => method === 'GET' ? ['GET', 'HEAD'] : [method]

/** Fastify's pattern as a regular expression: `:name` is one segment (or part of one), `*` the rest, `::` a colon. */
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
