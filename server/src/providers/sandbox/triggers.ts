/**
 * Words in a prompt that make the sandbox go wrong on purpose, so that a client's tests can prove its retry code. Pure.
 *
 * They count under test keys only. Written for callers in `docs/triggers.md`.
 */
import { failed, wait } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { JobOutcome } from '../contract.ts'

/** What a prompt asks for, besides a picture. */
export interface Triggers {
  slowMs: number
  /** The upstream's own code, 400 to 599. */
  fail: string | null
  moderation: boolean
  busy: boolean
  timeout: boolean
  partial: boolean
  bad_image: boolean
  expired_url: boolean
  credits: boolean
  lost: boolean
}

const flags = ['moderation', 'busy', 'timeout', 'partial', 'bad_image', 'expired_url', 'credits', 'lost'] as const
const isFlag = (word: string): word is (typeof flags)[number] => flags.some((flag) => flag === word)

/** How each is written, for the sentence that refuses an unknown one. */
export const knownTriggers = ['sandbox:slow=8s', 'sandbox:fail=501', ...flags.map((flag) => `sandbox:${flag}`)]

const slowMaxMs = 3_600_000
const busyAttempts = 2
const busyPauseMs = 1_000
const timeoutMs = 3_000
const lostMs = 1_000

const token = /(?<![\p{L}\p{N}_:/.-])sandbox:([a-z][a-z_0-9-]*)(?:=([^\s,;]*))?/giu

/**
 * Takes the triggers out of a prompt.
 *
 * @throws {Problem} `bad_request` for a `sandbox:` word that is none, with the known ones: a slip must not pass as a prompt
 * @example readTriggers('a dog sandbox:slow=2s').prompt // 'a dog'
 */
export function readTriggers(prompt: string): { triggers: Triggers; prompt: string } {
  const triggers: Triggers = {
    slowMs: 0, fail: null, moderation: false, busy: false, timeout: false, partial: false, bad_image: false, expired_url: false, credits: false, lost: false,
  }
  let found = false
  for (const [whole, name = '', argument] of prompt.matchAll(token)) {
    found = true
    const word = name.toLowerCase()
    const value = argument?.replace(/[.!?)\]}"'»”]+$/, '')
    if (word === 'slow') triggers.slowMs = readPauseMs(value, whole)
    else if (word === 'fail') triggers.fail = readCode(value, whole)
    else if (isFlag(word) && value === undefined) triggers[word] = true
    else throw refuse(`There is no trigger "${whole.slice(0, 60)}". Known are ${knownTriggers.join(', ')}.`, whole)
  }
  return { triggers, prompt: found ? prompt.replace(token, ' ').replace(/\s+/g, ' ').trim() : prompt }
}

function readPauseMs(value: string | undefined, whole: string): number {
  const match = /^(\d{1,7}(?:\.\d{1,3})?)(ms|s)$/.exec(value ?? '')
  const ms = match ? Math.round(Number(match[1]) * (match[2] === 's' ? 1_000 : 1)) : NaN
  if (ms >= 0 && ms <= slowMaxMs) return ms
  throw refuse('sandbox:slow takes a time up to an hour, as in sandbox:slow=8s or sandbox:slow=250ms.', whole)
}

function readCode(value: string | undefined, whole: string): string {
  if (value !== undefined && /^[45]\d\d$/.test(value)) return value
  throw refuse('sandbox:fail takes a code from 400 to 599, as in sandbox:fail=501.', whole)
}

const refuse = (message: string, whole: string) => new Problem('bad_request', message, { field: 'prompt', value: whole.slice(0, 60), allowed: knownTriggers })

/** Refuses a prompt with an unknown trigger before anything is made. @throws {Problem} `bad_request` */
export function checkTriggers(prompt: string): void {
  readTriggers(prompt)
}

/** Does this prompt want to be told that the credits are used up? */
export const creditsTrigger = (prompt: string): boolean => readTriggers(prompt).triggers.credits

/** When a job with these triggers is to be gone on with, at its first call; null for at once. */
export function pauseMs({ slowMs, timeout, lost }: Triggers): number | null {
  return slowMs + (timeout ? timeoutMs : 0) + (lost ? lostMs : 0) || null
}

/** Says no before the job is taken, where the triggers want it. */
export function refuseJob({ busy }: Triggers, attempt: number): JobOutcome | null {
  if (!busy || attempt > busyAttempts) return null
  return failed(new Problem('provider_busy', `The sandbox was told to be busy for ${busyAttempts} attempts.`, { upstreamCode: '429' }), busyPauseMs)
}

/** Ends the job badly after its pause, where the triggers want it; null lets it be rendered. */
export function failJob(triggers: Triggers): JobOutcome | null {
  if (triggers.timeout) return failed(new Problem('provider_timeout', 'The sandbox was told to take too long.'))
  if (triggers.lost) return failed(new Problem('outcome_unknown', 'The sandbox was told to take the job and never to answer. Nobody knows whether it was made; ask again if you want it again.'))
  if (triggers.moderation) return failed(new Problem('content_rejected', 'The sandbox was told to refuse this prompt.'))
  if (triggers.fail) return failed(new Problem('provider_failed', `The sandbox was told to fail with ${triggers.fail}.`, { upstreamCode: triggers.fail }))
  if (triggers.expired_url) return failed(new Problem('output_expired', 'The sandbox was told to hand over a link that had expired.'))
  return null
}

/** Where a job stands that waits: nothing sleeps, the engine comes back with this. */
export const waitUntil = (readyAt: number, now: number) => wait({ readyAt }, Math.max(0, readyAt - now))

/** How many of the pictures asked for are made. */
export const countMade = ({ partial }: Triggers, count: number): number => partial ? Math.max(1, count - 1) : count
