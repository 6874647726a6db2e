/** Starts the house in the foreground. The one file that acts when it is imported. */
import { ConfigError, readConfig } from './config.ts'
import { startHouse, type House, type Role } from './house.ts'
import { EmbeddedProblem } from './db/embedded/refusal.ts'
import { MigrationProblem } from './db/migrate.ts'
import { DatabaseDown } from './db/down.ts'
import { writeWelcome } from './welcome.ts'

const roles: Role[] = process.argv.includes('--work') ? ['work'] : process.argv.includes('--serve') ? ['serve'] : ['serve', 'work']

await main()

async function main(): Promise<void> {
  // Listened for before anything is open: a stop that comes while we start is a stop once we have.
  let house: House | null = null
  let closing = false
  const stop = () => {
    // A second signal means now.
    if (closing) process.exit(130)
    closing = true
    if (house) void end(house)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)

  try {
    house = await startHouse(readConfig(process.env), { roles })
  } catch (error) {
    // What the operator can mend is a sentence; everything else is a bug and keeps its stack.
    const plain = error instanceof ConfigError || error instanceof EmbeddedProblem || error instanceof MigrationProblem || error instanceof DatabaseDown || (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
    console.error(plain ? explain(error as NodeJS.ErrnoException) : error)
    process.exit(1)
  }
  if (closing) return end(house)
  const { config: { dataDir }, keyFile } = house
  console.log(writeWelcome({ url: house.url, firstKey: house.firstKey, keyFile, roles: house.roles, embedded: house.embedded, dataDir }))
}

async function end(house: House): Promise<void> {
  try {
    await house.close()
    process.exit(0)
  } catch (error) {
    console.error(error)
    process.exit(1)
  }
}

function explain(error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') return `Port ${process.env.PORT ?? 7700} is taken. Set PORT to a free one (PORT=0 takes any), or stop what listens there.`
  return error.message
}
