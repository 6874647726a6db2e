/**
 * Wireflow's front door: workflows as its clients draw, save, run and watch them, on the house's own.
 *
 * A graph comes as its editor writes it and is kept as it came; what runs is its translation (`graph.ts`, by the tables in `kinds.ts`).
 * Both of its forms of errors are spoken (`words.ts`). Absent on purpose: its video editor (Remotion, blocks), teams, public pages.
 */
import { protocol, type Protocol } from '../contract.ts'
import { catalogue } from './catalogue.ts'
import { executions } from './executions.ts'
import { media } from './media.ts'
import { others } from './others.ts'
import { triggers } from './triggers.ts'
import { refuse } from './words.ts'
import { writeExecutionCallback } from './view.ts'
import { workflows } from './workflows.ts'

/** Wireflow's tools expect keys that begin with `wf_`: those of the house may be written so, and then errors come as objects. */
const readSecret: Protocol['readSecret'] = ({ headers }) =>
  /^Bearer\s+(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1]?.replace(/^wf_(live|test)_/, 'sk-$1-') ?? null

export default protocol({
  id: 'wireflow',
  title: 'Wireflow',
  prefixes: ['/api/v1/workflows', '/api/v1/workflow', '/api/v1/nodes', '/api/v1/media', '/api/v1/apps', '/api/v1/developer', '/api/v1/remotion', '/api/v1/blocks', '/api/v1/render', '/api/v1/feedback', '/api/download'],
  routes: [...workflows, ...executions, ...triggers, ...catalogue, ...media, ...others],
  rateMax: 1_000_000,
  readSecret, refuse, writeExecutionCallback,
})
