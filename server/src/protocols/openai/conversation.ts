/**
 * A conversation as one order: what is said, and the pictures it is said about. Pure.
 *
 * What was said before a picture was made is in that picture. So a made picture takes the place of everything before it but the
 * standing instructions, and the words after it are what is to be done with it.
 */
import type { Picture } from './pictures.ts'

/** A picture the model made in this conversation, by its id here. */
export interface Made { param: string; callId: string }

export class Conversation {
  readonly #standing: string[] = []
  #said: string[] = []
  #pictures: (Picture | Made)[] = []
  #isMade = false

  /** System and developer messages, `instructions`. */
  instruct(text: string): void { if (text.trim() !== '') this.#standing.push(text) }

  say(text: string): void {
    this.#isMade = false
    if (text.trim() !== '') this.#said.push(text)
  }

  show(picture: Picture): void {
    this.#isMade = false
    this.#pictures.push(picture)
  }

  /** Pictures of one turn stay together. */
  made(picture: Picture | Made): void {
    if (!this.#isMade) { this.#said = []; this.#pictures = [] }
    this.#isMade = true
    this.#pictures.push(picture)
  }

  get prompt(): string { return [...this.#standing, ...this.#said].join('\n\n') }
  /** Whether anything was said since the last picture. */
  get hasWords(): boolean { return this.#said.length > 0 }
  get pictures(): (Picture | Made)[] { return this.#pictures }
}
