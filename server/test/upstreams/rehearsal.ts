/** The rehearsal provider comes with an upstream of its own, and with its own word for a fault. */
import { startUpstream } from '../../src/providers/rehearsal/upstream.ts'
import { bought, fine, withTheCall, type Expected, type Rehearsal } from './loopback.ts'

/** Found by our key; what is not there is handed in again. */
const before: Expected = { asked: 2, bought: 1, captured: 1, made: 1 }

export async function rehearse(): Promise<Rehearsal> {
  const upstream = await startUpstream()
  return {
    settings: { baseUrl: upstream.url }, model: 'model', key: null, tellsCost: false,
    stats: () => { const { asked, accepted } = upstream.stats(); return { asked, bought: accepted } },
    clear: upstream.reset, close: upstream.close,
    faults: {
      busy: { says: 'rehearse:limited', asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 },
      busy_when: { says: 'rehearse:busy', asked: 3, bought: 1, captured: 1, made: 1, attempts: 3 },
      server_before: { says: 'rehearse:500', asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 },
      server_after: { says: 'rehearse:502', ...fine },
      cut_before: { says: 'rehearse:cut_before', ...before }, cut_after: { says: 'rehearse:cut_after', ...fine }, cut_half: { says: 'rehearse:cut_half', ...fine },
      drip: { says: 'rehearse:drip', ...fine }, half_json: { says: 'rehearse:half_json', ...fine }, page: { says: 'rehearse:html', ...fine },
      no_picture: { says: 'rehearse:bad_picture', ...bought('bad_output') },
      lost_job: { says: 'rehearse:lost', ...bought('provider_failed') }, moment: 'What it took it knows at once, and says so of what it does not know.', blind: { says: 'rehearse:blind', ...fine },
      odd_200: { says: 'rehearse:broken', ...bought('provider_failed') },
      expired: { says: 'rehearse:expired', ...bought('output_expired') }, expired_once: withTheCall,
    },
  }
}
