// Draws the traces of a chart on a canvas that lies between the two pictures that Plotly makes: over its axes and grid,
// under its legend. A refresh draws some thousand strokes anew in a few milliseconds, where as many elements of SVG take
// a tenth of a second.
//
// The traces are Plotly's own (docs of its attributes: https://plotly.com/javascript/reference): candlestick, bar, and
// scatter as lines, markers, or the area between two lines (`meta.area`).

const DOT = [2, 3]

// view: { width, height, x: axis, y: {name: axis}, base: x of the first bar, from, to: indices of bars }; an axis has
// `offset` and `length` in px and `range`. chart: { order, traces, first }. Draws those of which hidden(trace) is false.
// layers: { under(brush), over(brush) }, drawn in the pane of prices behind the traces and over them.
export function draw(canvas, view, chart, hidden, last, layers) {
  const scale = window.devicePixelRatio || 1, brush = canvas.getContext("2d")
  const width = Math.round(view.width * scale), height = Math.round(view.height * scale)
  if (canvas.width !== width || canvas.height !== height) {
    Object.assign(canvas, { width, height })
    Object.assign(canvas.style, { width: `${view.width}px`, height: `${view.height}px` })
  }
  brush.setTransform(scale, 0, 0, scale, 0, 0)
  brush.clearRect(0, 0, view.width, view.height)
  const { x } = view, wide = x.length / (x.range[1] - x.range[0]), left = x.range[0] - view.base
  const at = (i) => x.offset + (i - left) * wide
  within(brush, view, layers.under)
  for (const uid of chart.order) {
    const trace = chart.traces[uid], y = view.y[trace.yaxis]
    if (!y || hidden(trace)) continue
    const up = y.length / (y.range[1] - y.range[0])
    const pen = { brush, at, wide, view, to: (value) => y.offset + (y.range[1] - value) * up }
    brush.save()
    brush.beginPath()
    brush.rect(x.offset, y.offset, x.length, y.length)
    brush.clip()
    if (trace.type === "candlestick") candles(pen, trace)
    else if (trace.type === "bar") bars(pen, trace)
    else if (trace.meta?.area) area(pen, trace, ...trace.meta.area.map((name) => chart.traces[name].y))
    else if (trace.mode === "markers") markers(pen, trace, chart.first)
    else line(pen, trace)
    brush.restore()
  }
  within(brush, view, layers.over)
  if (last && view.y.y) price(brush, view, last)
}

function within(brush, { x, y: { y } }, layer) {
  if (!y) return
  brush.save()
  brush.beginPath()
  brush.rect(x.offset, y.offset, x.length, y.length)
  brush.clip()
  layer(brush)
  brush.restore()
}

function candles({ brush, at, to, wide, view }, { open, high, low, close, increasing, decreasing }) {
  const thick = Math.max(1, Math.round(wide * 0.7) - (Math.round(wide * 0.7) % 2 === 0 ? 1 : 0))
  for (const side of [increasing, decreasing]) {
    const wicks = new Path2D(), bodies = new Path2D()
    for (let i = view.from; i < view.to; i++) {
      if (open[i] === null || close[i] === null || (close[i] >= open[i]) !== (side === increasing)) continue
      const middle = Math.round(at(i)) + 0.5, top = to(Math.max(open[i], close[i])), bottom = to(Math.min(open[i], close[i]))
      wicks.moveTo(middle, to(high[i]))
      wicks.lineTo(middle, to(low[i]))
      bodies.rect(middle - thick / 2, top, thick, Math.max(1, bottom - top))
    }
    brush.strokeStyle = side.line.color
    brush.lineWidth = side.line.width
    brush.stroke(wicks)
    brush.fillStyle = side.fillcolor
    brush.fill(bodies)
    if (side.fillcolor !== side.line.color) brush.stroke(bodies)
  }
}

function bars({ brush, at, to, wide, view }, { y, marker }) {
  const thick = Math.max(1, wide * 0.75), zero = to(0), paths = new Map()
  for (let i = view.from; i < view.to; i++) {
    if (y[i] === null) continue
    const color = Array.isArray(marker.color) ? marker.color[i] : marker.color, end = to(y[i])
    if (!paths.has(color)) paths.set(color, new Path2D())
    paths.get(color).rect(at(i) - thick / 2, Math.min(zero, end), thick, Math.abs(end - zero))
  }
  brush.globalAlpha = marker.opacity ?? 1
  for (const [color, path] of paths) {
    brush.fillStyle = color
    brush.fill(path)
  }
}

function line({ brush, at, to, view }, { y, line: style }) {
  brush.beginPath()
  let alone = true
  for (let i = Math.max(0, view.from - 1); i < Math.min(y.length, view.to + 1); i++) {
    if (y[i] === null) { alone = true; continue }
    if (alone) brush.moveTo(at(i), to(y[i]))
    else brush.lineTo(at(i), to(y[i]))
    alone = false
  }
  brush.strokeStyle = style.color
  brush.lineWidth = style.width
  brush.lineJoin = brush.lineCap = "round"
  brush.stroke()
}

// Closed outlines, one for each run of bars that has both edges: over a hole the area stays open.
function area({ brush, at, to, view }, { fillcolor }, upper, lower) {
  const from = Math.max(0, view.from - 1), until = Math.min(upper.length, view.to + 1)
  const both = (i) => upper[i] !== null && lower[i] !== null
  brush.fillStyle = fillcolor
  for (let start = from; start < until; start++) {
    let end = start
    while (end < until && both(end)) end++
    if (end === start) continue
    brush.beginPath()
    for (let i = start; i < end; i++) brush.lineTo(at(i), to(upper[i]))
    for (let i = end - 1; i >= start; i--) brush.lineTo(at(i), to(lower[i]))
    brush.fill()
    start = end
  }
}

function markers({ brush, at, to, view }, { x, y, marker }, first) {
  const size = marker.size / 2, path = new Path2D()
  y.forEach((value, n) => {
    const i = x ? x[n] - first : n
    if (value === null || i < view.from - 1 || i > view.to) return
    const left = at(i), top = to(value)
    if (marker.symbol === "triangle-up") triangle(path, left, top, size * 1.15, -1)
    else if (marker.symbol === "triangle-down") triangle(path, left, top, size * 1.15, 1)
    else if (marker.symbol === "x") {
      path.moveTo(left - size, top - size)
      path.lineTo(left + size, top + size)
      path.moveTo(left - size, top + size)
      path.lineTo(left + size, top - size)
    } else {
      path.moveTo(left + size, top)
      path.arc(left, top, size, 0, 2 * Math.PI)
    }
  })
  if (marker.symbol === "x") {
    brush.strokeStyle = marker.color
    brush.lineWidth = 2
    brush.stroke(path)
    return
  }
  brush.fillStyle = marker.color
  brush.fill(path)
  if (marker.line) {
    brush.strokeStyle = marker.line.color
    brush.lineWidth = marker.line.width
    brush.stroke(path)
  }
}

function triangle(path, x, y, size, down) {
  path.moveTo(x, y + size * down)
  path.lineTo(x - size, y - (size * down) / 1.5)
  path.lineTo(x + size, y - (size * down) / 1.5)
  path.closePath()
}

// The newest price: a dotted line over the pane, and its label beside the axis.
function price(brush, { x, y, font }, { y: value, text, color }) {
  const { offset, length, range } = y.y
  const height = offset + ((range[1] - value) * length) / (range[1] - range[0])
  if (height < offset || height > offset + length) return
  brush.strokeStyle = brush.fillStyle = color
  brush.lineWidth = 1
  brush.setLineDash(DOT)
  brush.beginPath()
  brush.moveTo(x.offset, height)
  brush.lineTo(x.offset + x.length, height)
  brush.stroke()
  brush.setLineDash([])
  brush.font = `11px ${font}`
  const wide = brush.measureText(text).width
  brush.fillRect(x.offset + x.length + 1, height - 9, wide + 9, 18)
  brush.fillStyle = "#ffffff"
  brush.textBaseline = "middle"
  brush.fillText(text, x.offset + x.length + 5, height + 0.5)
}
