/** The embedded PostgreSQL cannot run here. The message says why and what to do instead. */
export class EmbeddedProblem extends Error {
  override name = 'EmbeddedProblem'
}

/** For everything that only a PostgreSQL of one's own cures. */
export const refusal = (why: string, cause?: unknown) =>
  new EmbeddedProblem(`${why} Set DATABASE_URL to a PostgreSQL of your own instead, such as postgresql://user:password@host:5432/plantain.`, { cause })
