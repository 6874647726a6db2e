/** The sandbox is in the house: there is nobody to rehearse, and no line to break. Its faults are the triggers of docs/triggers.md. */
import type { Faults, Rehearsal } from './loopback.ts'

const noLine = 'It is in this process: there is no line.'
const faults: Faults = {
  busy: 'It says when to come back.', busy_when: { says: 'sandbox:busy', asked: 3, bought: 1, captured: 1, made: 1, attempts: 3, costs: [] },
  server_before: noLine, server_after: noLine, cut_before: noLine, cut_half: noLine, drip: noLine, half_json: noLine, page: noLine,
  cut_after: { says: 'sandbox:lost', asked: 1, bought: 1, captured: 0, code: 'outcome_unknown', costs: [] },
  no_picture: { says: 'sandbox:bad_image', asked: 1, bought: 1, captured: 0, code: 'bad_output', costs: [] },
  lost_job: 'A job that is gone with its process is drawn again.', moment: 'It draws in the call: there is nothing to look at.', blind: 'It draws in the call: there is nothing to look at.',
  odd_200: { says: 'sandbox:fail=500', asked: 1, bought: 1, captured: 0, code: 'provider_failed', costs: [] },
  expired: { says: 'sandbox:expired_url', asked: 1, bought: 1, captured: 0, code: 'output_expired', costs: [] }, expired_once: 'Its pictures come in the call.',
}

export const rehearse = async (): Promise<Rehearsal> => ({ settings: { threads: 1 }, model: 'model', key: null, tellsCost: false, faults, clear() {}, close: async () => {} })
