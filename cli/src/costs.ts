/** What only the operator sees: what upstreams took, against what was charged, and what nobody knows the end of. */
import { formatDollars } from '@plantain/server/domain/money.ts'
import { usage } from './exit.ts'
import { withOperator } from './local.ts'
import { formatTable, plainLine, type Shared, type Terminal } from './terminal.ts'

const dayMs = 86_400_000

function readDay(text: string, option: string): Date {
  const day = new Date(`${text}T00:00:00Z`)
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== text) throw usage(`${option} must be a day like 2026-11-30, not "${text}".`)
  return day
}

const dollars = (micros: number) => micros < 0 ? `-$${formatDollars(-micros)}` : `$${formatDollars(micros)}`

export interface CostOptions extends Shared { from?: string; to?: string }

/** Days are UTC, `to` included; the last thirty where nothing is said. */
export async function showCosts({ from, to, json }: CostOptions, terminal: Terminal): Promise<void> {
  const today = new Date(new Date().toISOString().slice(0, 10))
  const last = to === undefined ? today : readDay(to, '--to')
  const first = from === undefined ? new Date(last.getTime() - 29 * dayMs) : readDay(from, '--from')
  if (first > last) throw usage('--from must not be after --to.')
  await withOperator(terminal, async ({ costs }) => {
    const lines = await costs({ from: first, to: new Date(last.getTime() + dayMs) })
    if (json) return terminal.print(JSON.stringify(lines.map(line => ({ ...line, marginMicros: line.chargedMicros - line.costMicros }))))
    if (lines.length === 0) return terminal.print(`Nothing was bought from ${first.toISOString().slice(0, 10)} to ${last.toISOString().slice(0, 10)}.`)
    const row = (name: string[], { attempts, unknown, late, costMicros, chargedMicros }: Pick<(typeof lines)[number], 'attempts' | 'unknown' | 'late' | 'costMicros' | 'chargedMicros'>) =>
      [...name, String(attempts), String(unknown), String(late), dollars(costMicros), dollars(chargedMicros), dollars(chargedMicros - costMicros)]
    const sum = (field: 'attempts' | 'unknown' | 'late' | 'costMicros' | 'chargedMicros') => lines.reduce((total, line) => total + line[field], 0)
    const total = { attempts: sum('attempts'), unknown: sum('unknown'), late: sum('late'), costMicros: sum('costMicros'), chargedMicros: sum('chargedMicros') }
    const head = ['day', 'provider', 'model', 'attempts', 'cost unknown', 'late', 'cost', 'charged', 'margin']
    for (const line of formatTable([head, ...lines.map(one => row([one.day, one.provider, one.model], one)), row(['all', '', ''], total)])) terminal.print(line)
    if (total.unknown > 0) terminal.note(`Of ${total.unknown} attempts nobody knows what they cost: the margin is that much too large. plantain unknown lists those whose end is not known either; the other reason is a route whose card lists no cost for what was made: plantain routes list --costs.`)
  })
}

export interface UnknownOptions extends Shared { days: number; limit: number }

/** Attempts to look up at the upstream by hand. */
export async function showUnknown({ days, limit, json }: UnknownOptions, terminal: Terminal): Promise<void> {
  await withOperator(terminal, async ({ unknown }) => {
    const all = await unknown({ since: new Date(Date.now() - days * dayMs), limit })
    if (json) return terminal.print(JSON.stringify(all))
    if (all.length === 0) return terminal.print(`Of the last ${days} days there is nothing whose end is not known.`)
    const rows = all.map(one => [one.sentAt.toISOString().slice(0, 19), one.provider, plainLine(one.upstreamModel, 40), one.upstreamId === null ? '-' : plainLine(one.upstreamId, 60), one.key, one.outcome,
      one.lookedForUntil === null ? 'no' : `until ${one.lookedForUntil.toISOString().slice(0, 16)}`])
    for (const line of formatTable([['sent (UTC)', 'provider', 'model there', 'id there', 'our key', 'outcome', 'looked for'], ...rows])) terminal.print(line)
    terminal.note('Each of these may have been made and paid. Look them up at the upstream by its id, or by the time and the model.')
  })
}
