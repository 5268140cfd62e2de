// Annotations on the chart's price pane: where they lie, how they look, and which one is at a point. No events here.
//
// A mark: { kind: level | zone | line | marker | text, label, from, to: UTC ms, to null: open, y: [prices], color, width,
// opacity, dashed, dim, version, auto, told }; y: of a zone top and bottom, of a line at `from` and at `to`.
//
// A scene: { x, y: axes as in canvas.js, base, times: [ms of each bar], step: ms of a bar, font, number(price) }. The place of a
// time is counted in bars. Levels and zones go from where a bar begins to where one begins; the others stand on bars.

const FAR = 3000 // bars outside of what is loaded, at most
const LABEL_PX = 11, ROW_PX = 14, MOST_BESIDE = 4
const HANDLE_PX = 4.5

// The place of a time among the bars: 0 is the first one.
export function placeOf(time, { times, step }) {
  const last = times.length - 1
  if (time < times[0]) return Math.max(-FAR, (time - times[0]) / step)
  if (time >= times[last]) return last + Math.min(FAR, (time - times[last]) / step)
  let low = 0, high = last
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (times[middle] <= time) low = middle
    else high = middle
  }
  return low + Math.min(1, (time - times[low]) / step)
}

// The time of a whole place, also of one before the first bar or behind the last one.
export function timeOf(place, { times, step }) {
  const last = times.length - 1
  if (place < 0) return times[0] + place * step
  return place > last ? times[last] + (place - last) * step : times[place]
}

// The shortest distance of two bars, ms.
export function stepOf(times) {
  let least = Infinity
  for (let i = 1; i < times.length; i++) least = Math.min(least, times[i] - times[i - 1])
  return Number.isFinite(least) ? least : 60_000
}

const edged = (kind) => kind === "level" || kind === "zone"

const left = ({ x, base }, place) => x.offset + ((place + base - x.range[0]) * x.length) / (x.range[1] - x.range[0])
const top = ({ y }, price) => y.offset + ((y.range[1] - price) * y.length) / (y.range[1] - y.range[0])

// The bar at a point, and the place where one begins that is next to it; the price there.
export function pointed(scene, { x, y }) {
  const place = scene.x.range[0] - scene.base + ((x - scene.x.offset) * (scene.x.range[1] - scene.x.range[0])) / scene.x.length
  const price = scene.y.range[1] - ((y - scene.y.offset) * (scene.y.range[1] - scene.y.range[0])) / scene.y.length
  return { bar: Math.round(place), edge: Math.round(place + 0.5), price: scene.rounded(price) }
}

export const within = ({ x, y }, point) =>
  point.x >= x.offset && point.x <= x.offset + x.length && point.y >= y.offset && point.y <= y.offset + y.length

// Where a mark lies, px: { x0, x1, y0, y1, open }.
export function boxOf(mark, scene) {
  const shift = edged(mark.kind) ? 0.5 : 0
  const end = scene.x.offset + scene.x.length
  const open = mark.to === null
  const x0 = left(scene, placeOf(mark.from, scene) - shift)
  const x1 = open ? (edged(mark.kind) ? Math.max(end, x0) : x0) : left(scene, placeOf(mark.to, scene) - shift)
  return { x0, x1, y0: top(scene, mark.y[0]), y1: top(scene, mark.y[mark.y.length - 1]), open }
}

// What lies behind the candles: the areas of zones.
export function shade(brush, marks, scene) {
  for (const mark of marks) {
    if (mark.kind !== "zone") continue
    const { x0, x1, y0, y1 } = boxOf(mark, scene)
    brush.globalAlpha = mark.opacity * (mark.dim ? 0.4 : 1)
    brush.fillStyle = mark.color
    brush.fillRect(x0, y0, Math.max(1, x1 - x0), Math.max(1, y1 - y0))
  }
  brush.globalAlpha = 1
}

// What lies over them: lines, edges, markers, labels; handles of the one that is chosen.
export function outline(brush, marks, scene, chosen) {
  const end = scene.x.offset + scene.x.length, labels = []
  brush.font = `${LABEL_PX}px ${scene.font}`
  brush.textBaseline = "middle"
  for (const [id, mark] of marks.entries()) {
    const box = boxOf(mark, scene)
    if (box.x0 > end || Math.max(box.x0, box.x1) < scene.x.offset) continue
    brush.globalAlpha = mark.dim ? 0.45 : 1
    brush.strokeStyle = brush.fillStyle = mark.color
    brush.lineWidth = mark.width + (mark === chosen ? 1 : 0)
    brush.setLineDash(mark.dashed ? [5, 4] : [])
    if (mark.kind === "level") stroke(brush, box.x0, box.y0, box.x1, box.y0)
    else if (mark.kind === "line") stroke(brush, box.x0, box.y0, box.x1, box.y1)
    else if (mark.kind === "zone") {
      brush.globalAlpha *= 0.7
      stroke(brush, box.x0, box.y0, box.x1, box.y0)
      stroke(brush, box.x0, box.y1, box.x1, box.y1)
    } else if (mark.kind === "marker") dot(brush, box)
    brush.setLineDash([])
    brush.globalAlpha = 1
    if (mark.label || mark.kind === "level") labels.push(labelOf(brush, mark, box, scene))
    if (mark === chosen) handles(brush, mark, box)
  }
  for (const label of apart(labels, scene)) written(brush, label, scene)
}

function stroke(brush, x0, y0, x1, y1) {
  brush.beginPath()
  const crisp = y0 === y1 ? Math.round(y0) + 0.5 : null
  brush.moveTo(x0, crisp ?? y0)
  brush.lineTo(x1, crisp ?? y1)
  brush.stroke()
}

function dot(brush, { x0, y0 }) {
  brush.beginPath()
  brush.arc(x0, y0, 4, 0, 2 * Math.PI)
  brush.fill()
}

// Labels of levels and zones stand at their right end, as far as it is in view; the others where they begin.
function labelOf(brush, mark, { x0, x1, y0, y1 }, { x, number }) {
  const text = mark.kind === "level" ? `${mark.label} ${number(mark.y[0])}`.trim() : mark.label
  const wide = brush.measureText(text).width + 8
  if (edged(mark.kind)) {
    const y = mark.kind === "level" ? y0 - 8 : y0 + 9
    return { text, wide, y, x: Math.min(x1, x.offset + x.length) - wide - 3, from: x0, mark, slides: true }
  }
  const over = mark.kind === "text" ? y0 : mark.kind === "marker" ? y0 - 13 : Math.min(y0, y1) - 9
  return { text, wide, y: over, x: Math.max(x0 + (mark.kind === "text" ? 0 : 5), x.offset + 2), mark, slides: false }
}

// Labels that do not lie upon one another: one that would, goes to the left of the other; where there is no room, it is
// left out.
function apart(labels, { x, y }) {
  const found = []
  labels.sort((a, b) => Number(a.mark.dim) - Number(b.mark.dim) || a.y - b.y)
  for (const label of labels) {
    if (label.y < y.offset || label.y > y.offset + y.length || label.x > x.offset + x.length) continue
    for (let tries = 0; tries <= MOST_BESIDE; tries++) {
      const other = found.find((one) => Math.abs(one.y - label.y) < ROW_PX && one.x < label.x + label.wide && label.x < one.x + one.wide)
      if (!other) {
        found.push(label)
        break
      }
      if (!label.slides) break
      label.x = other.x - label.wide - 4
      if (label.x < Math.max(x.offset, label.from)) break
    }
  }
  return found
}

function written(brush, { text, wide, x, y, mark }, { surface }) {
  brush.globalAlpha = mark.dim ? 0.35 : 0.78
  brush.fillStyle = surface
  brush.fillRect(x, y - 7, wide, ROW_PX)
  brush.globalAlpha = mark.dim ? 0.6 : 1
  brush.fillStyle = mark.color
  brush.fillText(text, x + 4, y + 0.5)
  brush.globalAlpha = 1
}

// The points by which a mark is pulled: { name, x, y }.
function gripsOf(mark, { x0, x1, y0, y1, open }) {
  if (mark.kind === "zone") {
    const ends = open ? [["from", x0]] : [["from", x0], ["to", x1]]
    return ends.flatMap(([name, x]) => [{ name: `${name} top`, x, y: y0 }, { name: `${name} bottom`, x, y: y1 }])
  }
  if (mark.kind === "line") return [{ name: "from price", x: x0, y: y0 }, { name: "to price_end", x: x1, y: y1 }]
  if (mark.kind === "level") return [{ name: "from", x: x0, y: y0 }]
  return [{ name: "all", x: x0, y: y0 }]
}

function handles(brush, mark, box) {
  brush.lineWidth = 1.5
  brush.strokeStyle = mark.color
  for (const { x, y } of gripsOf(mark, box)) {
    brush.beginPath()
    brush.arc(x, y, HANDLE_PX, 0, 2 * Math.PI)
    brush.fillStyle = mark.auto ? mark.color : "#ffffff"
    brush.fill()
    brush.stroke()
  }
}

// What is at a point: { id, grip }, null if nothing is. The grip says what of the mark goes with the pointer: "all", the
// names of a corner, an edge; "" for the inside of a zone that is not chosen, which is only clicked.
export function at(point, marks, scene, chosen, reach) {
  const before = ([a, one], [b, other]) => Number(b === chosen) - Number(a === chosen) || Number(one.auto) - Number(other.auto)
  const all = [...marks.entries()].reverse().sort(before) // the one that is chosen, then what people drew, the newest first
  for (const [id, mark] of all) {
    if (id !== chosen) continue
    const grip = gripsOf(mark, boxOf(mark, scene)).find(({ x, y }) => Math.hypot(x - point.x, y - point.y) <= reach + 3)
    if (grip) return { id, grip: grip.name }
  }
  for (const [id, mark] of all) {
    const { x0, x1, y0, y1 } = boxOf(mark, scene), over = point.x >= x0 - reach && point.x <= x1 + reach
    if (mark.kind === "level" && over && Math.abs(point.y - y0) <= reach) return { id, grip: "all" }
    if (mark.kind === "line" && distance(point, x0, y0, x1, y1) <= reach) return { id, grip: "all" }
    if (mark.kind === "marker" && Math.hypot(point.x - x0, point.y - y0) <= reach + 4) return { id, grip: "all" }
    if (mark.kind === "text" && over && Math.abs(point.y - y0) <= reach + 4 && point.x <= x0 + 7 * mark.label.length + 8) return { id, grip: "all" }
    if (mark.kind !== "zone" || !over) continue
    if (Math.abs(point.y - y0) <= reach) return { id, grip: "top" }
    if (Math.abs(point.y - y1) <= reach) return { id, grip: "bottom" }
  }
  for (const [id, mark] of all) {
    const { x0, x1, y0, y1 } = boxOf(mark, scene)
    const inside = mark.kind === "zone" && point.x >= x0 && point.x <= x1 && point.y >= y0 && point.y <= y1
    if (inside) return { id, grip: id === chosen ? "all" : "" }
  }
  return null
}

function distance({ x, y }, x0, y0, x1, y1) {
  const long = (x1 - x0) ** 2 + (y1 - y0) ** 2
  const along = long ? Math.max(0, Math.min(1, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / long)) : 0
  return Math.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0))
}

// The mark as it is after its grip went from one point to another, both as `pointed` tells.
export function moved(mark, grip, from, to, scene) {
  const made = { ...mark, y: [...mark.y] }, name = edged(mark.kind) ? "edge" : "bar"
  const bars = to[name] - from[name]
  const shifted = (time) => timeOf(Math.round(placeOf(time, scene)) + bars, scene)
  const price = (value) => scene.rounded(value + to.price - from.price)
  if (grip === "all") {
    made.y = mark.y.map(price)
    if (bars && mark.kind !== "level") {
      made.from = shifted(mark.from)
      if (mark.to !== null) made.to = shifted(mark.to)
    }
    return made
  }
  for (const part of grip.split(" ")) {
    if (part === "from") made.from = mark.to === null ? timeOf(to[name], scene) : Math.min(timeOf(to[name], scene), mark.to)
    if (part === "to") made.to = Math.max(timeOf(to[name], scene), mark.from)
    if (part === "top" || part === "price") made.y[0] = to.price
    if (part === "bottom" || part === "price_end") made.y[1] = to.price
  }
  if (mark.kind === "zone" && made.y[0] < made.y[1]) made.y.reverse()
  return made
}
