/**
 * The one way to ask the database something.
 *
 * Nothing is retried here: only the caller knows whether a statement may happen twice (`DatabaseDown.mayHaveHappened`
 * says whether it is a question at all). Nothing is logged about a failed statement either; it is thrown.
 */
import { Pool, type PoolClient, type QueryResult, type QueryResultRow } from 'pg'
import { type Address, clientConfig } from './address.ts'
import { readLoss } from './down.ts'
import { type Log, silent } from './log.ts'

/** SQL, or SQL with a name under which each connection prepares it once and keeps the plan. */
export type Statement = string | { name: string, text: string }

/** What can be asked: the database itself, or a transaction under way. Functions that only ask take this. */
export interface Client {
  query<Row extends QueryResultRow = any>(statement: Statement, values?: unknown[]): Promise<QueryResult<Row>>
}

export interface Database extends Client {
  /**
   * Runs `work` between begin and commit; what it throws rolls back and is thrown on. Nothing is retried.
   *
   * @param options.begin `begin` and statements without parameters that go with it in one round trip
   */
  transaction<Result>(work: (client: Client) => Promise<Result>, options?: { begin?: string }): Promise<Result>
  /** Waits for what is under way and closes every connection. A second call is the first one. */
  close(): Promise<void>
}

export type DatabaseOptions = Address & {
  /** Connections at most. The embedded server has 100 for all processes together. */
  max?: number
  /** How we are called in `pg_stat_activity`. */
  applicationName?: string
  /** How long a caller waits for a free connection before it hears `DatabaseDown`. */
  waitMs?: number
  log?: Log
}

export function openDatabase({ max = 10, applicationName = 'plantain', waitMs = 15_000, log = silent, ...address }: DatabaseOptions): Database {
  const pool = new Pool({ ...clientConfig(address, applicationName), max, connectionTimeoutMillis: waitMs, idleTimeoutMillis: 30_000 })
  let closed: Promise<void> | undefined
  pool.on('error', error => log.warn({ err: error }, 'an idle database connection was lost'))
  // The pool listens only to idle clients: without this, a connection lost between two statements of a transaction ends
  // the process. The statement after it fails, so nothing is hidden.
  pool.on('connect', client => { client.on('error', nothing) })

  const connect = async () => {
    try {
      return await pool.connect()
    } catch (error) {
      throw readLoss(error, false)
    }
  }

  return {
    async query<Row extends QueryResultRow>(statement: Statement, values?: unknown[]) {
      const client = await connect()
      try {
        return await ask<Row>(client, statement, values)
      } finally {
        client.release()
      }
    },

    async transaction(work, { begin = 'begin' } = {}) {
      const client = await connect()
      let broken: Error | undefined
      try {
        let result
        try {
          await ask(client, begin, undefined, false)
          result = await work({ query: (statement, values) => ask(client, statement, values, false) })
        } catch (error) {
          await client.query('rollback').catch(failure => { broken = failure })
          throw error
        }
        // A `commit` after a failed statement that `work` swallowed is answered with ROLLBACK: not done, so not fine.
        const { command } = await ask(client, 'commit')
        if (command !== 'COMMIT') throw new Error('The transaction was rolled back: one of its statements failed and the failure was swallowed.')
        return result
      } finally {
        client.release(broken)
      }
    },

    close: () => closed ??= pool.end(),
  }
}

const nothing = () => {}

/** A statement inside a transaction cannot have happened when the connection was lost: only the commit is uncertain. */
async function ask<Row extends QueryResultRow = any>(client: PoolClient, statement: Statement, values?: unknown[], mayHaveHappened = true) {
  try {
    return await client.query<Row>(typeof statement === 'string' ? { text: statement, values } : { ...statement, values })
  } catch (error) {
    throw readLoss(error, mayHaveHappened)
  }
}
