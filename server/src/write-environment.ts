/** Writes `.env.example` from the settings: `npm run make`. */
import { writeFile } from 'node:fs/promises'
import { writeEnvironmentExample } from './config.ts'

await writeFile(new URL('../../.env.example', import.meta.url), writeEnvironmentExample())
