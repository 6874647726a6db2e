/** The rehearsal provider comes with an upstream of its own. */
import { startUpstream } from '../../src/providers/rehearsal/upstream.ts'
import type { Rehearsal } from './loopback.ts'

export async function rehearse(): Promise<Rehearsal> {
  const upstream = await startUpstream()
  return { settings: { baseUrl: upstream.url }, model: 'model', close: () => upstream.close() }
}
