/** Orders to write, in the words of the sandbox's text maker. */
import type { TextRequest } from '@plantain/sandbox/text'
import type { Job, JobOutcome } from '../contract.ts'
import { readWritten, systemOf } from '../toolkit/text.ts'

/** Loaded with the first text: a process that only serves never reads the words. */
const load = () => import('@plantain/sandbox/text')

/** @throws what the text maker throws, for a picture it cannot read */
export async function writeText(job: Job, prompt: string, warnings: string[]): Promise<JobOutcome> {
  const { max_tokens: max } = job.parameters
  const system = systemOf(job)
  const request: TextRequest = {
    prompt, pictures: await Promise.all(job.inputs.map(input => input.read())), tokensMax: typeof max === 'number' ? max : Infinity,
    ...(system === null ? {} : { system }),
  }
  const { text, finish, tokens, understood } = await (await load()).write(request)
  return readWritten('The sandbox', job, { text, finish, details: { sandbox: { understood: { ...understood } } }, warnings, usage: tokens })
}
