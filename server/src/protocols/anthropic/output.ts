/** In which form a client gets its pictures. Pure. */
import { Problem } from '../../domain/problem.ts'

/**
 * `block`: an image block with the bytes; `url`: an image block with an address; `link`: only text that shows the address; `file`:
 * the name of a file that `/v1/files` gives; `tool`: no picture at all, but a call of the client's own tool that asks for one.
 */
export const outputs = ['block', 'url', 'link', 'file', 'tool'] as const
export type Output = (typeof outputs)[number]

/**
 * What the client says in `x-image-output`, else what it is known to bear: the AI SDK refuses a whole answer for the sake of one
 * image block, everything else takes them.
 *
 * @throws {Problem} `bad_request`
 */
export function readOutput(headers: Record<string, string | undefined>): Output {
  const asked = headers['x-image-output']?.trim().toLowerCase()
  if (asked === undefined || asked === '') return /(^|\s)ai(-sdk[\w-]*)?\//i.test(headers['user-agent'] ?? '') ? 'link' : 'block'
  const found = outputs.find(output => output === asked)
  if (!found) throw new Problem('bad_request', `x-image-output must be one of ${outputs.join(', ')}.`, { field: 'x-image-output', value: asked.slice(0, 40), allowed: outputs })
  return found
}
