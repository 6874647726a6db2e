/**
 * A session: one picture changed turn by turn, with what is always to be kept in mind. Pure.
 *
 * A turn is a task. It goes on from the picture of the turn before it, and its prompt holds the session's notes and, shortly, what was asked for
 * on the way. Where a session stands is read from its tasks: a turn that failed never moves it, whatever crashed in between.
 */
import type { InputReference } from './order.ts'
import type { Json } from './outcome.ts'
import type { State } from './task.ts'

export interface Brand { notes?: string; style?: string; negative?: string; references: InputReference[] }

export interface Session {
  id: string
  projectId: string
  livemode: boolean
  name: string
  /** A model's name, or a template's. */
  model: string
  parameters: Record<string, Json>
  brand: Brand
  /** The turn the next one goes on from; null before the first. */
  head: string | null
  /** Turns that undo has left, the one redo goes to last. */
  undone: string[]
  /** How many turns were ever asked for. */
  turns: number
  /** The turn that is being made, where one is. */
  making: string | null
  createdAt: Date
  updatedAt: Date
}

/** One step of a session; its id is its task's. */
export interface Turn { id: string; sessionId: string; number: number; parent: string | null; prompt: string; /** Which output the next turn goes on from. */ selected: number; state: State; createdAt: Date }

export interface NewSession { name: string; model: string; parameters: Record<string, Json>; brand: Brand }
export type SessionChange = Partial<NewSession>

/** What a turn asks for. `from` names the turn it goes on from, null the beginning; absent, wherever the session stands. */
export interface TurnOrder { prompt: string; variables?: Record<string, Json>; parameters: Record<string, Json>; inputs: InputReference[]; from?: string | null; idempotencyKey?: string; metadata?: Record<string, string>; callbackUrl?: string }

/** A turn as it is written with its task. `expected`: where the session must stand still; null for a turn that names where it goes on from. */
export interface TurnPlace { sessionId: string; parent: string | null; expected: { head: string | null } | null; prompt: string }

/** A session that is longer is no conversation any more. */
export const turnsMax = 500
/** What of the way here is told: the newest, as much as this. */
export const historyMax = { turns: 12, characters: 2_000, perTurn: 300 }

const historyMark = 'Done before, and already in the first picture:'

/**
 * The prompt of a turn: what is asked now, the notes, then what was asked before. The form is documented (docs/sessions.md).
 *
 * The history gives way where the model's limit leaves no room for it; what is asked and the notes never do.
 */
export function writePrompt(asked: string, { notes, style, negative }: Omit<Brand, 'references'>, history: string[], charactersMax: number): string {
  const line = (title: string, text: string | undefined) => text === undefined || text.trim() === '' ? [] : [`${title}: ${text.trim()}`]
  const told = [asked.trim(), ...line('Brand', notes), ...line('Style', style), ...line('Avoid', negative)].filter(part => part !== '').join('\n\n')
  const shown = history.slice(-historyMax.turns).map(one => one.replace(/\s+/g, ' ').trim()).map(one => one.length > historyMax.perTurn ? `${one.slice(0, historyMax.perTurn - 1).toWellFormed()}…` : one)
  const room = Math.min(historyMax.characters, charactersMax - told.length - historyMark.length - 4)
  const kept: string[] = []
  let used = 0
  for (const one of shown.reverse()) {
    used += one.length + 3
    if (one === '' || used > room) break
    kept.unshift(`- ${one}`)
  }
  return kept.length === 0 ? told : `${told}\n\n${historyMark}\n${kept.join('\n')}`
}

/** A prompt without what was asked before, for a renderer that does whatever it reads. */
export function withoutHistory(prompt: string): string {
  const at = prompt.lastIndexOf(`\n\n${historyMark}\n`)
  return at < 0 ? prompt : prompt.slice(0, at)
}
