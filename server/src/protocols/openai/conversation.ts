/**
 * A conversation as one order: what is said, and the pictures it is said about. Pure.
 *
 * What was said before a picture was made is in that picture. So a made picture takes the place of everything before it but the
 * standing instructions, and the words after it are what is to be done with it. A model that writes hears all of it (`system`, `turns`, `shown`).
 */
import type { Turn } from '../toolkit/talk.ts'
import type { Picture } from './pictures.ts'

/** A picture the model made in this conversation, by its id here. */
export interface Made { param: string; callId: string }

export class Conversation {
  readonly #standing: string[] = []
  #said: string[] = []
  #pictures: (Picture | Made)[] = []
  #isMade = false
  readonly turns: Turn[] = []
  /** Every picture somebody brought, in its order. */
  readonly shown: Picture[] = []
  /** What the user said and showed right before the last picture was made. */
  #before: { said: string[]; shown: (Picture | Made)[] } = { said: [], shown: [] }
  readonly #made = new Set<Picture | Made>()

  /** System and developer messages, `instructions`. */
  instruct(text: string): void { if (text.trim() !== '') this.#standing.push(text) }

  say(text: string): void {
    this.#isMade = false
    this.turns.push({ by: 'user', text })
    if (text.trim() !== '') this.#said.push(text)
  }

  /** What the model said before: of a picture it says nothing that is not in it. */
  answer(text: string): void { this.turns.push({ by: 'assistant', text }) }

  show(picture: Picture): void {
    this.#isMade = false
    this.shown.push(picture)
    this.#pictures.push(picture)
  }

  /** Pictures of one turn stay together. */
  made(picture: Picture | Made): void {
    if (!this.#isMade) {
      this.#before = { said: this.#said, shown: this.#pictures.filter(one => !this.#made.has(one)) }
      this.#said = []
      this.#pictures = []
    }
    this.#isMade = true
    this.#made.add(picture)
    this.#pictures.push(picture)
    if ('source' in picture) this.shown.push(picture)
  }

  /** Takes what was said before the last picture as said about it: some say first what is to be done, and name the picture behind it. */
  turnRound(): void {
    this.#said = this.#before.said
    this.#pictures = [...this.#pictures, ...this.#before.shown]
    this.#isMade = false
  }

  get system(): string { return this.#standing.join('\n\n') }
  get prompt(): string { return [...this.#standing, ...this.#said].join('\n\n') }
  /** Whether anything was said since the last picture. */
  get hasWords(): boolean { return this.#said.length > 0 }
  get pictures(): (Picture | Made)[] { return this.#pictures }
}
