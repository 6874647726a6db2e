import { pino, type Logger } from 'pino'

export type Log = Logger

/** JSON lines on standard error: request and task ids, never secrets, prompts or pixels. */
export const createLog = (level: string): Log => pino({
  level,
  base: null,
  serializers: { error: pino.stdSerializers.err, err: pino.stdSerializers.err },
  timestamp: pino.stdTimeFunctions.isoTime,
  redact: { paths: ['*.authorization', '*.secret', '*.prompt', '*.apiKey', 'headers.authorization', 'headers.cookie'], censor: '[hidden]' },
}, pino.destination({ fd: 2, sync: true }))
