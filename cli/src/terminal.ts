import type { Readable, Writable } from 'node:stream'

/** What a command sees of the process it runs in. `main.ts` alone fills it from the real one. */
export interface Terminal {
  env: Record<string, string | undefined>
  /** Where files are read from and saved to. */
  folder: string
  /** One line of the answer. */
  print(line: string): void
  /** One line beside the answer: progress, warnings, errors. */
  note(line: string): void
  /** Redraws one line in place; null takes it away. Does nothing where nobody looks. */
  redraw(line: string | null): void
  isWatched: boolean
  /** For programs that talk to a command rather than read what it says. */
  pipes: { input: Readable; output: Writable }
  onInterrupt(act: () => void): () => void
}

const clear = '\r\u001b[2K'

/** What goes beside the answer. A drawn line is cut at the screen's edge: one that breaks cannot be taken back, and each of its frames would stay. A note that comes while a line is drawn takes its place and leaves it below; where nobody looks, nothing is drawn. */
export function openScreen(write: (text: string) => void, isWatched: boolean, columns: () => number | undefined = () => undefined): Pick<Terminal, 'note' | 'redraw'> {
  let drawn: string | null = null
  const redraw = (line: string | null) => {
    if (!isWatched || line === null && drawn === null) return
    drawn = line
    write(clear + (line ?? '').slice(0, (columns() || 80) - 1))
  }
  return { redraw, note(line) { const below = drawn; redraw(null); write(`${line}\n`); redraw(below) } }
}

/** Options every command takes. */
export interface Shared { url?: string; key?: string; json?: boolean }

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB']
export function formatBytes(bytes: number): string {
  let unit = 0
  let value = bytes
  for (; value >= 1000 && unit < byteUnits.length - 1; unit++) value /= 1000
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${byteUnits[unit]}`
}

/** Rows with their columns aligned; the last column runs free. */
export function formatTable(rows: string[][]): string[] {
  const widths = rows.reduce<number[]>((widest, row) => row.map((cell, column) => Math.max(widest[column] ?? 0, cell.length)), [])
  return rows.map((row) => row.map((cell, column) => column === row.length - 1 ? cell : cell.padEnd(widths[column]!)).join('  ').trimEnd())
}

/** Text from elsewhere on one line of a terminal: no control characters, so that a prompt cannot repaint the screen. */
export function plainLine(text: string, lengthMax = 200): string {
  // eslint-disable-next-line no-control-regex -- control characters are what this is about
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim()
  return line.length > lengthMax ? `${line.slice(0, lengthMax - 1)}…` : line
}
