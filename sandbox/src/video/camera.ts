/** How the camera moves: read from the words, and where each layer stands at a moment of the move. */
import { sin } from '../kernel/math.ts'

export type Move = 'in' | 'out' | 'left' | 'right' | 'up' | 'down' | 'sway' | 'still'

export function readMove(prompt: string): Move {
  const text = prompt.toLowerCase()
  if (/static|still camera|locked[- ]off|tripod|no camera movement|固定镜头/.test(text)) return 'still'
  if (/zoom(?:s|ing)? out|pull(?:s|ing)? (?:back|out)|dolly(?:ing)? out|拉远/.test(text)) return 'out'
  if (/orbit|turntable|rotat|360|arc shot|handheld|sway|环绕/.test(text)) return 'sway'
  if (/pan(?:s|ning)?(?: \w+)* left|left pan|to the left|向左/.test(text)) return 'left'
  if (/pan(?:s|ning)?(?: \w+)* right|\bpan(?:s|ning)?\b|tracking|slide|truck|dolly right|to the right|向右|平移/.test(text)) return 'right'
  if (/tilt(?:s|ing)? down|crane down|descend/.test(text)) return 'down'
  if (/tilt(?:s|ing)?(?: up)?|crane|rise|rising|ascend/.test(text)) return 'up'
  return 'in'
}

/** Layers are composed this much larger than the frame, so that every frame only ever shrinks them. */
export const overscan = 1.36

export interface Placement { x: number; y: number; width: number; height: number }

/** Starts and ends at rest. */
const ease = (t: number) => t * t * (3 - 2 * t)

/**
 * Where a layer is drawn, `t` from 0 to 1 through the move; `depth` 1 is far, 0 at the glass.
 *
 * Near layers move more: that is all parallax is. No layer ever shows its edge: its slack is shared out below.
 */
export function placeLayer(move: Move, t: number, depth: number, width: number, height: number): Placement {
  const near = 1 - depth
  const at = ease(t)
  let zoom = 1.1 + 0.05 * near
  let dx = 0
  let dy = 0
  const travel = 0.022 + 0.05 * near
  switch (move) {
    case 'in': zoom = 1.02 + at * (0.07 + 0.2 * near); break
    case 'out': zoom = 1.02 + (1 - at) * (0.07 + 0.2 * near); break
    case 'left': dx = (at - 0.5) * 2 * travel; break
    case 'right': dx = (0.5 - at) * 2 * travel; break
    case 'up': dy = (at - 0.5) * 2 * travel * 0.9; break
    case 'down': dy = (0.5 - at) * 2 * travel * 0.9; break
    case 'sway': dx = sin(t * 6.283185307179586) * travel; break
    case 'still': break
  }
  zoom = Math.max(zoom, 1 + 2 * Math.max(Math.abs(dx), Math.abs(dy)) + 0.002)
  const w = width * zoom
  const h = height * zoom
  return { x: (width - w) / 2 + dx * width, y: (height - h) / 2 + dy * height, width: w, height: h }
}
