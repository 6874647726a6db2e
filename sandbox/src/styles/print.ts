/** Pictures from few, large elements: pixel art and halftone dots. */
import { makeCanvas, readPixels, resizeCanvas, shadePixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { clamp, css, hsl, rgbToHsl } from '../kernel/colour.ts'
import type { Rgb } from '../kernel/colour.ts'
import { lineart } from './drawing.ts'
import { brightnessAt, softened } from './pixels.ts'

const pixelsAcross = 112
const paletteSize = 28
const bayer = [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5]

/** 112 fat pixels across, 28 colours taken from the picture, ordered dither between them. */
export function pixelArt(canvas: Canvas): Canvas {
  const { width, height } = canvas
  const shrink = Math.min(1, pixelsAcross / Math.max(width, height))
  const columns = Math.max(1, Math.round(width * shrink))
  const rows = Math.max(1, Math.round(height * shrink))
  const small = resizeCanvas(resizeCanvas(canvas, Math.min(width, columns * 3), Math.min(height, rows * 3)), columns, rows)
  shadePixels(small, (data) => {
    for (let i = 0; i < data.length; i += 4) for (let channel = 0; channel < 3; channel++) data[i + channel] = (data[i + channel]! - 128) * 1.14 + 128
    const palette = medianCut(data, paletteSize)
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        const i = (y * columns + x) * 4
        const threshold = (bayer[(y % 4) * 4 + (x % 4)]! / 16 - 0.47) * 14
        const [r, g, b] = nearest(palette, data[i]! + threshold, data[i + 1]! + threshold, data[i + 2]! + threshold)
        data[i] = r
        data[i + 1] = g
        data[i + 2] = b
        data[i + 3] = 255
      }
    }
  })
  const result = makeCanvas(width, height)
  const context = result.getContext('2d')
  context.imageSmoothingEnabled = false
  context.drawImage(small, 0, 0, width, height)
  return result
}

function medianCut(data: Uint8ClampedArray, size: number): Rgb[] {
  const all: Rgb[] = []
  for (let i = 0; i < data.length; i += 4) all.push([data[i]!, data[i + 1]!, data[i + 2]!])
  const boxes = [all]
  while (boxes.length < size) {
    let widest = { box: -1, channel: 0, spread: 0 }
    boxes.forEach((colours, box) => {
      for (let channel = 0; channel < 3; channel++) {
        let low = 255
        let high = 0
        for (const colour of colours) {
          low = Math.min(low, colour[channel]!)
          high = Math.max(high, colour[channel]!)
        }
        const spread = (high - low) * Math.sqrt(colours.length)
        if (colours.length > 1 && spread > widest.spread) widest = { box, channel, spread }
      }
    })
    if (widest.box < 0) break
    const colours = boxes[widest.box]!.sort((a, b) => a[widest.channel]! - b[widest.channel]!)
    const middle = colours.length >> 1
    boxes.splice(widest.box, 1, colours.slice(0, middle), colours.slice(middle))
  }
  return boxes.map((colours) => {
    const sum: Rgb = [0, 0, 0]
    for (const colour of colours) for (let channel = 0; channel < 3; channel++) sum[channel]! += colour[channel]!
    return sum.map((value) => value / colours.length) as Rgb
  })
}

function nearest(palette: Rgb[], r: number, g: number, b: number): Rgb {
  let best = palette[0]!
  let distance = Infinity
  for (const colour of palette) {
    const d = (colour[0] - r) ** 2 + (colour[1] - g) ** 2 * 1.4 + (colour[2] - b) ** 2
    if (d < distance) {
      distance = d
      best = colour
    }
  }
  return best
}

/** Pop-art print: dots on cream paper, larger where it is dark, a dozen loud hues. */
export function halftone(canvas: Canvas): Canvas {
  const { width, height } = canvas
  const pitch = Math.max(4, Math.max(width, height) / 100)
  const result = makeCanvas(width, height)
  const context = result.getContext('2d')
  const data = readPixels(softened(canvas, pitch * 0.45))
  context.fillStyle = '#fdf3d0'
  context.fillRect(0, 0, width, height)
  for (let row = 0, y = 0; y < height + pitch; row++, y += pitch * 0.87) {
    for (let x = -pitch; x < width + pitch; x += pitch) {
      const cx = x + (row % 2 ? pitch / 2 : 0)
      const i = (clamp(y | 0, 0, height - 1) * width + clamp(cx | 0, 0, width - 1)) * 4
      const dark = 1 - brightnessAt(data, i) / 255
      const [hue, saturation] = rgbToHsl([data[i]!, data[i + 1]!, data[i + 2]!])
      // What is nearly black has no colour to exaggerate.
      const chroma = saturation * clamp(2.4 * (1 - dark))
      context.fillStyle = css(hsl(Math.round(hue / 30) * 30, clamp(chroma * 1.5 + 0.08), clamp(0.62 - dark * 0.46)))
      context.beginPath()
      context.arc(cx, y, pitch * 0.64 * Math.sqrt(dark + 0.02), 0, 6.2832)
      context.fill()
    }
  }
  return inked(result, canvas)
}

/** The black plate of the print: outlines, laid over the dots. */
function inked(dots: Canvas, canvas: Canvas): Canvas {
  const lines = readPixels(lineart(canvas))
  return shadePixels(dots, (data) => {
    for (let i = 0; i < data.length; i += 4) for (let channel = 0; channel < 3; channel++) data[i + channel] = data[i + channel]! * (0.1 + 0.9 * (lines[i]! / 255))
  })
}
