/** What a card file must look like, as a schema; `load.ts` checks every file against it at boot. */
import { Type, type Static } from 'typebox'
import { kinds, outputKinds, units, type Card } from '../domain/card.ts'
import { operations, roles, type Operation, type Role } from '../domain/order.ts'

const closed = { additionalProperties: false }
const text = Type.String({ minLength: 1 })
const day = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\d$' })
const whole = (minimum: number) => Type.Integer({ minimum })
const oneOf = <T extends string>(values: readonly T[]) => Type.Unsafe<T>({ type: 'string', enum: values as unknown as string[] })
/** A JSON Schema, or any other data: looked at more closely by `load.ts`. */
const data = Type.Unsafe<Card['parameters']>({ type: 'object' })

const price = { when: Type.Optional(data), micros: whole(0), per: oneOf(units) }
const tokens = Type.Object({ textIn: whole(0), imageIn: whole(0), textOut: whole(0), imageOut: whole(0) }, closed)
const costs = Type.Array(Type.Object({
  from: day,
  source: text,
  rows: Type.Array(Type.Union([Type.Object(price, closed), Type.Object({ when: Type.Optional(data), tokens }, closed), Type.Object({ when: Type.Optional(data), unlisted: text }, closed)]), { minItems: 1 }),
  search: Type.Optional(Type.Object({ freePerMonth: whole(0), micros: whole(0) }, closed)),
}, closed), { minItems: 1 })

export const CardFile = Type.Object({
  id: Type.String({ pattern: '^[a-z0-9][a-z0-9.-]*$' }),
  title: text,
  family: text,
  maker: text,
  kind: oneOf(kinds),
  description: text,
  operations: Type.Array(oneOf<Operation>(operations), { minItems: 1 }),
  aliases: Type.Array(text),
  dialects: Type.Unsafe<Card['dialects']>(Type.Record(Type.String(), Type.Array(Type.Object({
    id: text,
    operation: Type.Optional(oneOf<Operation>(operations)),
    input: Type.Optional(data),
    fields: Type.Optional(Type.Record(Type.String(), Type.String())),
  }, closed), { minItems: 1 }))),
  parameters: data,
  prompt: Type.Object({ required: Type.Boolean(), charactersMax: whole(1) }, closed),
  inputs: Type.Object({
    min: whole(0),
    max: whole(0),
    mimes: Type.Array(text),
    bytesMax: whole(1),
    pixelsMax: whole(1),
    roles: Type.Unsafe<Partial<Record<Role, number>>>({ type: 'object', propertyNames: { enum: [...roles] }, additionalProperties: { type: 'integer', minimum: 1 } }),
  }, closed),
  output: Type.Object({
    kind: oneOf(outputKinds),
    countMax: whole(1),
    seconds: Type.Optional(Type.Object({ default: whole(1), max: whole(1) }, closed)),
  }, closed),
  prices: Type.Array(Type.Object({
    from: day,
    source: text,
    rows: Type.Array(Type.Object(price, closed), { minItems: 1 }),
    tokens: Type.Optional(tokens),
  }, closed), { minItems: 1 }),
  life: Type.Object({
    state: oneOf(['active', 'deprecated', 'retired']),
    since: Type.Optional(day),
    ends: Type.Optional(day),
    replacement: Type.Optional(text),
    note: Type.Optional(text),
  }, closed),
  routes: Type.Array(Type.Object({ provider: text, model: text, order: whole(0), weight: whole(0), batchHoursMin: Type.Optional(whole(1)), costs: Type.Optional(costs) }, closed), { minItems: 1 }),
  endWithinS: whole(1),
}, closed)

// The file and the type every room knows must not drift apart.
const agrees: Static<typeof CardFile> extends Card ? true : false = true
void agrees
