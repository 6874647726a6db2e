import type { Media } from './graph.ts'

/** A picture under a name that others are compared with. What a run brings is proposed; it counts once somebody has approved it. */
export interface Baseline {
  name: string
  approved: Media | null; approvedBy: string | null; approvedAt: Date | null
  proposed: Media | null; proposedBy: string | null; proposedAt: Date | null
  /** The last proposal that was turned down: its very picture is not proposed again. */
  rejected: { sha256: string; by: string; at: Date; reason: string | null } | null
  updatedAt: Date
}

/** What became of a proposal: it waits, it counts, or it is what somebody turned down before. */
export type Proposal = 'proposed' | 'approved' | 'rejected'
