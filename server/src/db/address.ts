import type { ClientConfig } from 'pg'
import { types } from 'pg'

/** The parts of a database address, for a socket directory or a host. */
export interface Connection {
  host: string
  port: number
  user: string
  database: string
}

/** Where a database is: a `DATABASE_URL`, or the parts of it. */
export type Address = { url: string, connection?: undefined } | { connection: Connection, url?: undefined }

const int8 = 20
const date = 1082
const uuid = 2950
const int8Array = 1016

/**
 * Reads an int8 as a number.
 *
 * Micro-dollars and ids fit 2^53. A value that does not is a bug we want to hear about, not a rounded amount.
 */
export function readInt8(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number)) throw new RangeError(`The database sent the int8 ${text}, which a number cannot hold exactly. Select it as text.`)
  return number
}

const readInt8Array = (text: string) => (types.getTypeParser(int8Array as typeof int8) as (text: string) => (string | null)[])(text)
  .map(entry => entry === null ? null : readInt8(entry))

/** Our ids are 32 hexadecimal characters: every dialect takes them as they are. `date` stays text: it has no time zone, and a Date would give it the one of this machine. */
const parsers: Record<number, (text: string) => unknown> = { [int8]: readInt8, [int8Array]: readInt8Array, [date]: text => text, [uuid]: text => text.replaceAll('-', '') }

/** What `pg` needs to know to connect there and to read our types. Numeric stays text, timestamptz becomes a Date. */
export function clientConfig(address: Address, applicationName: string): ClientConfig {
  return {
    ...(address.url === undefined ? address.connection : { connectionString: address.url }),
    application_name: applicationName,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: {
      getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
        (format === 'binary' ? undefined : parsers[oid]) ?? types.getTypeParser(oid, format as 'text')) as typeof types.getTypeParser,
    },
  }
}
