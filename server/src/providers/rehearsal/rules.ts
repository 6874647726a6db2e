/**
 * How the rehearsal upstream may be told to behave, and which rule fits which job. Pure.
 */

export type Behaviour =
  /** Takes the job and answers with the pictures at once. */
  | { kind: 'ready' }
  /** Takes it and makes it in `polls` looks or `afterMs`, whichever is set; the first `polls500` looks are answered with 500. `callback: false` keeps silent when it is ready. */
  | { kind: 'queued'; polls?: number; afterMs?: number; polls500?: number; callback?: boolean }
  /** 429 with `Retry-After`, a second unless told otherwise; with null without one. Nothing is taken. */
  | { kind: 'busy'; retryAfterS?: number | null }
  /** A 5xx. With `taken` the job was taken all the same, as a gateway that gave up does it; `html` says it in a page. */
  | { kind: 'error'; status: number; taken?: boolean; html?: boolean }
  /** The line breaks: before anything is taken, after it, or in the middle of the answer. */
  | { kind: 'cut'; when: 'before' | 'after' | 'half' }
  /** Taken, and the answer comes a few bytes at a time, or ends in the middle as if that were all. */
  | { kind: 'drip' }
  | { kind: 'half_json' }
  /** Taken, but answered with a page instead of JSON, status 200. */
  | { kind: 'html' }
  /** Taken, answered in JSON but under `text/plain`. */
  | { kind: 'plain' }
  /** Taken, and the line stays open without an answer. */
  | { kind: 'silent' }
  /** Taken and queued for ever. */
  | { kind: 'stuck' }
  /** Taken, and every look says 404. */
  | { kind: 'lost' }
  /** Taken, and called back twice with the same answer. */
  | { kind: 'twice'; afterMs?: number }
  /** Ready at once, but the file holds no picture. */
  | { kind: 'bad_picture' }
  /** Ready at once, but the link to the file has expired. */
  | { kind: 'expired' }
  /** Ready at once with fewer pictures than asked. */
  | { kind: 'fewer' }
  /** The prompt is refused: with 422 at once, or (`later`) at the first look. */
  | { kind: 'refused'; later?: boolean }
  /** Taken, and reported as broken at the first look. */
  | { kind: 'broken' }

export interface Rule {
  /** Fits jobs whose prompt says `rehearse:<word>`. Absent: every job. */
  word?: string
  /** Fits the n-th request since the last reset, 1 for the first. */
  nth?: number
  /** How often it applies in all, and how often to one task (its later attempts included). Absent: always. */
  times?: number
  timesPerTask?: number
  /** Waits this long before answering, whatever it answers. */
  slowMs?: number
  does: Behaviour
}

/** Words that need no telling. Told rules come first. */
export const words: Record<string, Omit<Rule, 'word'>> = {
  slow: { slowMs: 300, does: { kind: 'ready' } },
  queued: { does: { kind: 'queued', polls: 2 } },
  callback: { does: { kind: 'queued', afterMs: 50 } },
  busy: { timesPerTask: 2, does: { kind: 'busy', retryAfterS: 1 } },
  limited: { timesPerTask: 1, does: { kind: 'busy', retryAfterS: null } },
  500: { timesPerTask: 1, does: { kind: 'error', status: 500 } },
  502: { timesPerTask: 1, does: { kind: 'error', status: 502, taken: true, html: true } },
  cut_before: { timesPerTask: 1, does: { kind: 'cut', when: 'before' } },
  cut_after: { does: { kind: 'cut', when: 'after' } },
  cut_half: { does: { kind: 'cut', when: 'half' } },
  drip: { does: { kind: 'drip' } },
  half_json: { does: { kind: 'half_json' } },
  html: { does: { kind: 'html' } },
  plain: { does: { kind: 'plain' } },
  silent: { does: { kind: 'silent' } },
  blind: { does: { kind: 'queued', polls: 1, polls500: 2 } },
  stuck: { does: { kind: 'stuck' } },
  lost: { does: { kind: 'lost' } },
  twice: { does: { kind: 'twice', afterMs: 20 } },
  bad_picture: { does: { kind: 'bad_picture' } },
  expired: { does: { kind: 'expired' } },
  fewer: { does: { kind: 'fewer' } },
  refused: { does: { kind: 'refused' } },
  refused_later: { does: { kind: 'refused', later: true } },
  broken: { does: { kind: 'broken' } },
}

/** The word a prompt rehearses, if any. */
export const readWord = (prompt: string): string | null => /rehearse:([a-z0-9_]+)/.exec(prompt)?.[1] ?? null

/** Does this rule speak about this request? How often it may is counted by who keeps it. */
export const fits = (rule: Rule, request: { nth: number; word: string | null }): boolean =>
  (rule.nth === undefined || rule.nth === request.nth) && (rule.word === undefined || rule.word === request.word)
