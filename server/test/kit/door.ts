/** What a description of a front door says (`test/doors/<id>.ts`), so that `contract/protocols.test.ts` can hold the door against the house's promises. */
import type { TestHouse } from './house.ts'

export interface Call {
  /** `POST` by default. */
  method?: string
  path: string
  /** A value is sent as JSON; text, bytes and forms as they are. */
  body?: unknown
  headers?: Record<string, string>
  /** Absent: the house's test key in the door's first form. Null: none. */
  key?: string | null
}

export interface Answer { status: number; headers: Headers; text: string; /** Parsed, or null where it is no JSON. */ body: any; bytes: Buffer }

/** A no, as the dialect says it: its own number (which some carry inside a 200), and the sentence. */
export interface Refusal { status: number; message: string }

/** Something the door is sent by mistake or in malice. */
export interface Bad {
  what: string
  call: Call | (() => Call | Promise<Call>)
  /** Null: any of 4xx, where `check` tells them apart. */
  status: number | null
  /** What of the dialect is peculiar to this case: throws where the answer lacks it. */
  check?(answer: Answer): void
}

export type Kind = 'image' | 'video'

export interface Door {
  /** Ways a key may be sent; each must open. The first is used for everything else. */
  keyForms(key: string): Record<string, string>[]
  /** The query parameter a key may stand in. */
  keyQuery?: string
  /** A call that changes nothing, to try keys with. */
  look: Call
  /** The smallest thing it makes; `idempotencyKey` where the dialect carries it. */
  make(prompt: string, idempotencyKey?: string): Call
  /** What a client of the dialect adds to a call that it sends again by itself, where it says so. */
  resent?: Record<string, string>
  makes: Kind
  /** Whether the answer to `make` is the picture itself. */
  isSync: boolean
  /** The task behind an answer of `make`, and whether it says that an earlier call made it. `look` asks with the key of that call, for dialects in which a task comes later. */
  taskOf(answer: Answer, look: (call: Call) => Promise<Answer>): { id: string; replayed: boolean } | Promise<{ id: string; replayed: boolean }>
  /** Reads a task by its id, whichever door made it; absent for a kind the dialect has no address for. */
  read: Partial<Record<Kind, (taskId: string) => Call>>
  /** The bytes in an answer of `read` (or of `make`, where it is sync). `fetch` gets what stands behind a link or an address of this house. */
  pictureOf(answer: Answer, fetch: (url: string) => Promise<Buffer>): Promise<Buffer>
  /** Reads a no and asserts its shape; null where the answer is a yes. */
  refusalOf(answer: Answer): Refusal | null
  /** A call with two mistakes that a model's card finds, and how each is told; absent where the dialect reads one field after the other and stops at the first. */
  flawed?: { call: Call; told: [RegExp, RegExp] }
  /** The dialect's numbers. */
  statuses: { unauthorized: number; credits: number; notFound: number; mismatch: number; limited: number }
  /** Headers that tell the limit of requests, where the dialect has them. */
  limitHeaders: string[]
  /** At least forty. */
  bad(house: TestHouse): Bad[] | Promise<Bad[]>
}
