/**
 * Which delivery goes next: a lane for each host, so that a dead or slow one does not hold every slot.
 *
 * A lane begins narrow. Quick answers widen it one by one, a slow or busy host halves it: a healthy host alone may use
 * most of the slots, a hanging one keeps two. Pure memory: no time, no I/O, and nothing that must survive.
 */

export interface Held { id: string; host: string }

/** What the last answer said about a host: `busy` for a time-out, a slow answer, or a host that said it has too much to do. */
export type Pace = 'quick' | 'fair' | 'busy'

interface Lane<Row> { host: string; width: number; underWay: number; waiting: Row[] }

/** Where a lane begins: enough for a first burst, little enough that eight dead hosts do not fill 64 slots for long. */
export const firstWidth = 8
const widthMin = 2

/** Hosts whose width is remembered while nothing goes there. */
const idleLanesMax = 1_000

export interface LanesOptions {
  slots: number
  /** Rows that may wait in memory, all together and for one host. */
  waitingMax?: number
  waitingPerHostMax?: number
}

export function createLanes<Row extends Held>({ slots, waitingMax = 5_000, waitingPerHostMax = 1_000 }: LanesOptions) {
  const lanes = new Map<string, Lane<Row>>()
  const inHand = new Map<string, Row>()
  const widthMax = Math.max(1, Math.ceil(slots * 0.75))
  /** Lanes with something waiting, in the order of their turn. */
  let turns: Lane<Row>[] = []
  let underWay = 0
  let waiting = 0

  const laneOf = (host: string) => {
    let lane = lanes.get(host)
    if (!lane) {
      if (lanes.size >= idleLanesMax) for (const [name, old] of lanes) if (old.underWay === 0 && old.waiting.length === 0) lanes.delete(name)
      lanes.set(host, lane = { host, width: Math.min(firstWidth, widthMax), underWay: 0, waiting: [] })
    }
    return lane
  }

  return {
    /** Takes a row into hand; false where there is no room, or where it is in hand already. */
    add(row: Row): boolean {
      const lane = laneOf(row.host)
      if (inHand.has(row.id) || waiting >= waitingMax || lane.waiting.length >= waitingPerHostMax) return false
      if (lane.waiting.length === 0) turns.push(lane)
      lane.waiting.push(row)
      inHand.set(row.id, row)
      waiting++
      return true
    },

    /** The next row that may be sent now, hosts taking turns; it is under way from here on. */
    next(): Row | undefined {
      if (underWay >= slots) return undefined
      const index = turns.findIndex(lane => lane.underWay < lane.width)
      if (index < 0) return undefined
      const lane = turns[index]!
      const row = lane.waiting.shift()!
      turns.splice(index, 1)
      if (lane.waiting.length > 0) turns.push(lane)
      lane.underWay++
      underWay++
      waiting--
      return row
    },

    /** Frees the slot of a row that was answered, and says whether its host has nothing left waiting here. It is in hand until it is dropped. */
    done({ host }: Row, pace: Pace): boolean {
      const lane = laneOf(host)
      lane.underWay--
      underWay--
      if (pace === 'quick') lane.width = Math.min(widthMax, lane.width + 1)
      if (pace === 'busy') lane.width = Math.max(Math.min(widthMin, widthMax), Math.floor(lane.width / 2))
      return lane.waiting.length === 0
    },

    /** Lets go of a row that is done. */
    drop({ id }: Row): void { inHand.delete(id) },

    /** Takes everything that waits out of hand. */
    empty(): Row[] {
      const rows = turns.flatMap(lane => lane.waiting.splice(0))
      for (const row of rows) inHand.delete(row.id)
      turns = []
      waiting = 0
      return rows
    },

    /** Slots nobody here has a use for: what waits behind a full lane does not count. */
    free: () => Math.max(0, turns.reduce((free, lane) => free - Math.max(0, Math.min(lane.waiting.length, lane.width - lane.underWay)), slots - underWay)),
    /** How many more rows each known host has room for. */
    rooms: () => [...lanes.values()].map(lane => ({ host: lane.host, room: Math.max(0, lane.width - lane.underWay - lane.waiting.length) })),
    /** Whether `add` would take a row of this host. */
    hasRoom: (host: string) => waiting < waitingMax && (lanes.get(host)?.waiting.length ?? 0) < waitingPerHostMax,
    held: (id: string): Row | undefined => inHand.get(id),
    ids: () => [...inHand.keys()],
  }
}
