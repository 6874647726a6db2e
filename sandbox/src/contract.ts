/**
 * What the sandbox renderer is asked and what it answers.
 *
 * Absent on purpose: the clock, the network, the file system outside `../assets`, and chance. The same request to the
 * same renderer version gives the same pixels on the same CPU architecture.
 */

/** Raised whenever the art changes; part of every seed, so an old version's picture is never passed off as a new one's. */
export const rendererVersion = '1.0.0'

export type Operation = 'generate' | 'edit' | 'upscale' | 'remove_background' | 'video'
/** GIF moves: the picture is filmed by a slow camera (`animation`). */
export type Format = 'png' | 'jpeg' | 'webp' | 'gif'
export type Role = 'reference' | 'character' | 'object' | 'style' | 'mask' | 'first_frame' | 'last_frame'

/** Output pixels, least and most a side. */
export const sideMin = 16
export const sideMax = 12_288
/** And in all: 18 megapixels of 1024 x 1024, what the longest 4K shape (12288x1536) has. */
export const pixelsMax = 18 * 1024 * 1024

/** A picture the caller brought: encoded bytes (PNG, JPEG or WebP), already checked for type and pixel count. */
export interface InputPicture {
  bytes: Uint8Array
  role: Role
}

export interface RenderRequest {
  operation: Operation
  /** Any language; may be empty for `upscale` and `remove_background`. */
  prompt: string
  inputs: InputPicture[]
  /** Output pixels, `sideMin` to `sideMax` a side and `pixelsMax` in all; a video's sides end at 4096. Absent for an edit: the size of the first input. Ignored by `upscale`, which multiplies the input by `factor`. */
  width?: number
  height?: number
  /** Whole number, 0 to 2^53-1. Absent: derived from the prompt, so a repeated call repeats its picture. */
  seed?: number
  /** 0 for the first picture of a request, 1 for the second: each is another composition from the same seed. */
  variation?: number
  format: Format
  /** 1 to 100, for JPEG and WebP. */
  quality?: number
  /** `transparent` keeps alpha where the operation makes any (PNG, WebP). */
  background?: 'transparent' | 'opaque'
  /** Of a GIF: frames (2 to 16; 9) and how long each stays (10 to 655,350 ms; 200). */
  animation?: { frames?: number; delayMs?: number }
  /** Upscale factor: 1, 2, 4 or 8. */
  factor?: number
  /** Short video: seconds (1 to 25) and frames a second (4 to 24). The file is an animated WebP. */
  video?: { seconds: number; fps: number }
  /** How many in-between pictures (0 to 3) to hand to `onPartial` while rendering. */
  partials?: number
  provenance?: { taskId?: string; embedPrompt?: boolean }
}

/** What the renderer made of the words, so that nobody is fooled. */
export interface Understood {
  kind: string
  subjects: string[]
  setting: string | null
  time: string | null
  style: string | null
  texts: string[]
  /** The edits it carried out, for `edit`. */
  edits: string[]
  /** Words it had no picture or rule for. */
  unmatched: string[]
}

export interface Rendering {
  bytes: Uint8Array
  mime: 'image/png' | 'image/jpeg' | 'image/webp' | 'image/gif'
  width: number
  height: number
  /** The seed that was used: asking again with it gives the same picture. */
  seed: number
  understood: Understood
  /** 0 to 1 where a subject had to be cut out of a photo; below 0.5 the cut is doubtful. */
  maskConfidence?: number
  /** One sentence for people: what was drawn or changed. */
  description: string
  rendererVersion: string
}

/** A request the renderer cannot honour, with a sentence for the caller. */
export class RenderError extends Error {
  override name = 'RenderError'
}
