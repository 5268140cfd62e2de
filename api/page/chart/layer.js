// A primitive of lightweight-charts that draws annotations and lines of orders, and says what lies under a point.

import { isAutomatic, nameOf } from "../model/annotations.js"
import { placeOf } from "../model/axis.js"
import { partAt } from "../model/geometry.js"
import { faded, ownColor } from "./palette.js"

const FONT = "11px system-ui, sans-serif"
const FAR = 1e5 // pixels; a canvas has no use for more

/** A primitive around `draw(context, {width, height})`, `order` is "bottom", "normal" or "top". */
export class Layer {
  constructor(draw, order = "normal", labels = () => []) {
    const target = (canvas) =>
      canvas.useMediaCoordinateSpace(({ context, mediaSize }) => {
        context.save()
        draw(context, mediaSize)
        context.restore()
      })
    this.views = [{ zOrder: () => order, renderer: () => ({ draw: target }) }]
    this.labels = labels
  }

  attached({ requestUpdate }) {
    this.requestUpdate = requestUpdate
  }

  detached() {
    this.requestUpdate = null
  }

  redraw() {
    this.requestUpdate?.()
  }

  paneViews() {
    return this.views
  }

  priceAxisViews() {
    return this.labels()
  }
}

/** The edges of an object in pixels, {x, x2, y, y2}; null if it has no place. `x2` null: to the right end. */
export function edgesOf(object, { list, lengthMs, series, timeScale }) {
  const x = (ms) => {
    const place = placeOf(list, ms, lengthMs)
    const whole = Math.floor(place)
    const [a, b] = [timeScale.logicalToCoordinate(whole), timeScale.logicalToCoordinate(whole + 1)]
    if (a === null || b === null) return null
    return Math.max(-FAR, Math.min(FAR, a + (place - whole) * (b - a)))
  }
  const [first, second] =
    object.kind === "zone" ? [object.top, object.bottom] : [object.price, object.price_end ?? object.price]
  const [y, y2] = [series.priceToCoordinate(first), series.priceToCoordinate(second)]
  const start = object.start_at === null || object.start_at === undefined ? -FAR : x(object.start_at)
  const end = object.end_at === null || object.end_at === undefined ? null : x(object.end_at)
  if (y === null || y2 === null || start === null) return null
  return { x: start, x2: object.kind === "line" || object.kind === "flag" ? (end ?? start) : end, y, y2 }
}

/** On a chart that is not as wide as this, px, the legend takes two lines; names of days stand below them. */
const NARROW = 480

/** The colour of an object: its own, else by what its type or label means. */
export function colorOf(object, colors) {
  if (object.order) return object.order.color
  const means = `${object.type} ${object.text}`.toLowerCase()
  const known = /demand|support|bull|\blow\b|_low/.test(means)
    ? colors.up
    : /supply|resist|bear|\bhigh\b|_high/.test(means)
      ? colors.down
      : null
  return ownColor(object, known ?? (isAutomatic(object) ? colors.soft : colors.accent))
}

/** Draw objects in their order, zones below; `chosen` is the id of the selected one. */
export function drawObjects(context, size, objects, chosen, colors, frame) {
  context.font = FONT
  const labels = []
  const ordered = [...objects].sort((a, b) => (a.kind === "zone" ? 0 : 1) - (b.kind === "zone" ? 0 : 1))
  for (const object of ordered) {
    const place = edgesOf(object, frame)
    if (!place) continue
    const right = place.x2 ?? size.width
    if (right < 0 || place.x > size.width) continue
    const style = { color: colorOf(object, colors), chosen: object.id === chosen, dim: object.state === "broken" }
    if (object.kind === "zone") drawZone(context, size, object, place, right, style, colors)
    else if (object.kind === "line" || object.kind === "flag") drawLine(context, object, place, style, colors)
    else if (object.kind === "level") drawLevel(context, size, object, place, right, style, labels)
    else drawPoint(context, object, place, style, colors)
  }
  drawLabels(context, size, labels, colors)
}

function drawZone(context, size, object, place, right, { color, chosen, dim }, colors) {
  const left = Math.max(-2, place.x)
  const width = Math.min(right, size.width + 2) - left
  const height = place.y2 - place.y
  context.fillStyle = faded(
    color,
    dim ? 0.05 : Number(object.style?.opacity) > 0 ? Math.min(0.6, Number(object.style.opacity)) : 0.14,
  )
  context.fillRect(left, place.y, width, height)
  context.strokeStyle = faded(color, chosen ? 1 : dim ? 0.25 : 0.6)
  context.lineWidth = chosen ? 2 : 1
  context.setLineDash(object.state === "forming" ? [4, 3] : [])
  context.strokeRect(left + 0.5, Math.round(place.y) + 0.5, width, Math.round(height))
  context.setLineDash([])
  if (height > 12 && width > 50) {
    const text = fitted(context, nameOf(object), width - 12)
    const x = Math.max(2, left + 2)
    context.textBaseline = "top"
    context.fillStyle = faded(colors.panel, 0.85) // a plate: candles do not run through the words
    context.fillRect(x, place.y + 2, context.measureText(text).width + 8, Math.min(13, height - 3))
    context.fillStyle = color
    context.fillRect(x, place.y + 2, 2, Math.min(13, height - 3))
    context.fillStyle = dim ? colors.soft : colors.text
    context.fillText(text, x + 5, place.y + 3)
  }
  if (chosen)
    handles(
      context,
      [
        [Math.max(6, left), (place.y + place.y2) / 2],
        [left + width / 2, place.y],
        [left + width / 2, place.y2],
      ],
      color,
      colors,
    )
}

function drawLevel(context, size, object, place, right, { color, chosen, dim }, labels) {
  const y = Math.round(place.y) + 0.5
  if (y < -10 || y > size.height + 10) return
  context.strokeStyle = faded(color, dim ? 0.4 : chosen ? 1 : 0.8)
  context.lineWidth = chosen ? 2 : 1
  context.setLineDash(object.order ? [6, 3] : dim ? [2, 4] : [])
  context.beginPath()
  context.moveTo(Math.max(-2, place.x), y)
  context.lineTo(Math.min(size.width + 2, right), y)
  context.stroke()
  context.setLineDash([])
  labels.push({
    y,
    right: Math.min(size.width - 4, right - 2),
    text: nameOf(object),
    color,
    solid: Boolean(object.order),
    strong: chosen,
  })
}

function drawLine(context, object, place, { color, chosen }, colors) {
  context.strokeStyle = faded(color, chosen ? 1 : 0.85)
  context.lineWidth = chosen ? 2.5 : Number(object.style?.width) > 0 ? Math.min(5, Number(object.style.width)) : 1.5
  context.setLineDash(object.state === "forming" ? [4, 3] : [])
  context.beginPath()
  context.moveTo(place.x, place.y)
  context.lineTo(place.x2, place.y2)
  context.stroke()
  context.setLineDash([])
  if (chosen)
    handles(
      context,
      [
        [place.x, place.y],
        [place.x2, place.y2],
      ],
      color,
      colors,
    )
}

function drawPoint(context, object, { x, y }, { color, chosen }, colors) {
  const low = /low|bull|buy/.test(object.type)
  context.fillStyle = color
  if (object.kind !== "text") {
    const away = low ? 7 : -7
    context.beginPath()
    context.moveTo(x, y + away * 0.4)
    context.lineTo(x - 4, y + away * 1.4)
    context.lineTo(x + 4, y + away * 1.4)
    context.fill()
  }
  if (object.text) {
    context.textBaseline = low ? "top" : "bottom"
    context.textAlign = object.kind === "text" ? "left" : "center"
    context.fillText(object.text, x, y + (object.kind === "text" ? 0 : low ? 12 : -12))
    context.textAlign = "left"
  }
  if (chosen) handles(context, [[x, y]], color, colors)
}

function handles(context, points, color, colors) {
  for (const [x, y] of points) {
    context.fillStyle = colors.panel
    context.strokeStyle = color
    context.lineWidth = 2
    context.beginPath()
    context.arc(x, y, 4, 0, 2 * Math.PI)
    context.fill()
    context.stroke()
  }
}

/** Labels of levels at the right, moved to the left where two would cover each other. */
function drawLabels(context, size, labels, colors) {
  const put = []
  context.textBaseline = "middle"
  for (const label of labels.sort((a, b) => Number(b.solid) - Number(a.solid) || a.y - b.y)) {
    const text = fitted(context, label.text, label.solid ? size.width - 12 : size.width / 2)
    const width = context.measureText(text).width + 8
    let right = label.right
    const y = Math.max(8, Math.min(size.height - 8, label.y))
    for (let tries = 0; tries < 8; tries += 1) {
      const other = put.find((each) => Math.abs(each.y - y) < 14 && right - width < each.right && right > each.left)
      if (!other) break
      right = other.left - 3
    }
    if (right - width < 0) continue
    put.push({ y, right, left: right - width })
    context.fillStyle = label.solid ? label.color : faded(colors.panel, 0.88)
    context.fillRect(right - width, y - 7, width, 14)
    context.fillStyle = label.solid ? "#ffffff" : label.color
    context.fillText(text, right - width + 4, y + 0.5)
  }
}

function fitted(context, text, width) {
  if (context.measureText(text).width <= width) return text
  let kept = text
  while (kept && context.measureText(`${kept}…`).width > width) kept = kept.slice(0, -1)
  return kept ? `${kept}…` : ""
}

/** The object and its part under a point, the smallest zone first: {object, part}, or null. */
export function objectAt(objects, point, width, frame) {
  const found = []
  for (const object of objects) {
    const place = edgesOf(object, frame)
    const part = place && partAt(object, place, point, width)
    if (part)
      found.push({ object, part, area: object.kind === "zone" && part === "body" ? Math.abs(place.y2 - place.y) : 0 })
  }
  found.sort((a, b) => a.area - b.area || Number(Boolean(b.object.order)) - Number(Boolean(a.object.order)))
  return found[0] ?? null
}

/** Bands of days: every other one shaded, each with its name. */
export function drawDays(context, size, days, count, colors, { timeScale, nameOfDay }) {
  context.font = FONT
  context.textBaseline = "top"
  for (const [n, { index, day }] of days.entries()) {
    const left = halfway(timeScale, index)
    const right = halfway(timeScale, days[n + 1]?.index ?? count)
    if (right < 0 || left > size.width) continue
    if (n % 2) {
      context.fillStyle = faded(colors.text, 0.045)
      context.fillRect(left, 0, right - left, size.height)
    }
    context.fillStyle = colors.faint
    const y = size.width < NARROW ? 44 : 24
    if (right - left > 40) context.fillText(fitted(context, nameOfDay(day), right - left - 8), Math.max(4, left + 4), y)
  }
}

function halfway(timeScale, index) {
  return ((timeScale.logicalToCoordinate(index - 1) ?? 0) + (timeScale.logicalToCoordinate(index) ?? 0)) / 2
}
