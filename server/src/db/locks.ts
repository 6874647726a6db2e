/** The numbers of our advisory locks. Together in one place: two that are the same wait for each other and nothing says why. */
export const locks = {
  /** Taking tasks (`engine/claim.ts`), to the commit. */
  admission: 7_700_001,
  /** Taking runs of workflows (`workflows/claim.ts`), to the commit. */
  runs: 7_700_002,
  /** Held beside each other by every session that listens (`listen.ts`), so that they can be counted. */
  presence: 7_700_003,
  /** Migrating (`migrate.ts`), to the commit. */
  migration: 7_700_418,
  /** The first boot's account and key (`access/operator.ts`), to the commit. */
  firstBoot: 7_700_419,
} as const
