/** Workflows from outside, by the house's own interface. */
import type { TestHouse } from './house.ts'

export interface Answer { status: number; body: any; headers: Headers }

/** Calls `/plantain/v1` of a house that may not stand yet, with its test key where no other is given. */
export const asking = (house: () => TestHouse) => async (method: string, path: string, body?: unknown, { key = house().testKey, headers = {} }: { key?: string; headers?: Record<string, string> } = {}): Promise<Answer> => {
  const answer = await fetch(`${house().url}/plantain/v1${path}`, { method, headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? null : JSON.parse(text), headers: answer.headers }
}

/** An edge from `node.port` to `node.port`. */
export function wire(from: string, to: string): { from: { node: string; port: string }; to: { node: string; port: string } } {
  const end = (place: string) => { const [node = '', port = ''] = place.split('.'); return { node, port } }
  return { from: end(from), to: end(to) }
}
