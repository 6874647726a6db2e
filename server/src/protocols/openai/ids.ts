/** Ids of this dialect: a prefix and the task's own id, so that whoever holds one can read the task at any door. Pure. */
import { isId } from '../../kit/id.ts'

export type Prefix = 'video' | 'resp' | 'ig' | 'msg' | 'chatcmpl' | 'char'

export const writeId = (prefix: Prefix, id: string, index = 0): string => prefix === 'chatcmpl' ? `chatcmpl-${id}` : `${prefix}_${id}${index === 0 ? '' : `_${index + 1}`}`

/** The task behind an id of this dialect, or a task's id as it is; null for anything else. */
export function readId(prefix: Prefix, text: string): { id: string; index: number } | null {
  const match = /^(?:([a-z]+)[_-])?([0-9a-f-]{32,36})(?:_([2-9]|10))?$/.exec(text)
  if (!match || !isId(match[2]!) || (match[1] !== undefined && match[1] !== prefix)) return null
  return { id: match[2]!.replaceAll('-', ''), index: match[3] === undefined ? 0 : Number(match[3]) - 1 }
}
