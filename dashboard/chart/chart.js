// The live chart. Plotly draws its frame: axes, grid, titles and legend, and knows pan and zoom; the bars in it are drawn
// on a canvas (canvas.js). A refresh that only brings newer numbers leaves the frame as it is; another one is patched
// with Plotly.react or relayout: zoom, pan, drag mode and legend survive all of it.
//
// What is in view stands in the page's address, where Python finds what `address` has again and this file the view:
// ?symbol=AAPL&interval=1m&bars=120&until=<ms of the last bar in view, absent while the newest bar is>
//
// data: { revision, whole | base and changes, tell: bool, notes: [{level, text}], stale: bool, draws: bool, answers }
// whole: { key, first, address: {name: text or null}, plain_digits, times: [UTC ms of each bar], local: [wall-clock ms of each
//          bar], order: [uid], traces: {uid: trace}, layout, digits, limits: {in_view, most_in_view, margin},
//          marks: {id: mark} (marks.js) }
// Or what changed (held.js) since the chart of revision `base`. Sends the trigger "told": {has: revision} if it should
// tell, {lacks: base} if it cannot say what changed; it draws nothing then. Where it `draws`, one may draw on it (drawing.js):
// it sends the trigger "drawn", and `answers` say what became of it.
//
// x of a bar is its ordinal number, and `first` that of the first one; a trace without x has a value for each bar. When
// old bars drop out at the left, the numbers of the others must not move under the user's zoom: `base` is what the first
// one has on screen.

import { draw as drawBars } from "./canvas.js"
import { stamp, ticks } from "./clock.js"
import { Drawing, sceneOf } from "./drawing.js"
import { Held } from "./held.js"

const VIEWS = new WeakMap()
const TICK_PX = 88
const ADDRESS_MS = 400 // browsers refuse an address that changes at every turn of the wheel
const STEPS_OF_A_PANE = 24 // an axis goes from and to multiples of about its length through this, and so seldom moves
const TOLD_WITHIN_MS = 1000 // a move is told as done so long after its last step
const RELEASES = ["pointerup", "pointercancel"]
const CONFIG = {
  displaylogo: false,
  displayModeBar: "hover",
  scrollZoom: true,
  doubleClick: false,
  responsive: false, // a ResizeObserver does it: the page's columns change without the window
}

let library
const plotly = () => (library ??= import("./plotly-finance.min.js").then(() => window.Plotly))

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".tp-chart")
  if (!VIEWS.has(root)) VIEWS.set(root, new View(root))
  const view = VIEWS.get(root)
  view.receive(data, (what) => setTriggerValue("told", what), (what) => setTriggerValue("drawn", what))
  return () => {
    // Streamlit cleans up after a call that newer data overtook, too: then the place in the page is still there.
    if (root.isConnected) return
    VIEWS.delete(root)
    view.close()
  }
}

// The chart that is drawn in a place of the page, all its bars.
export const chartOf = (root) => VIEWS.get(root)?.chart

class View {
  constructor(root) {
    this.root = root
    this.graph = part(root, "tp-graph")
    this.head = part(root, "tp-head")
    this.bar = part(this.head, "tp-readout")
    this.notes = part(root, "tp-notes")
    this.latest = part(root, "tp-latest", "button")
    this.latest.type = "button"
    this.latest.textContent = "Go to latest »"
    this.latest.onclick = () => this.goToLatest()
    this.reasons = part(root, "tp-reasons")
    this.reasons.hidden = true
    this.graph.ondblclick = (event) => event.target.closest(".draglayer") && this.goToLatest()
    this.graph.onpointerdown = () => { this.held = true }
    this.graph.onpointermove = (event) => this.point(event)
    this.graph.onpointerleave = () => this.point(null)
    this.canvas = document.createElement("canvas")
    this.canvas.className = "tp-bars"
    this.across = part(root, "tp-cross tp-across")
    this.along = part(root, "tp-cross tp-along")
    this.across.hidden = this.along.hidden = true
    // Plotly ends its drag on the mouseup that follows: only then may the graph be drawn again.
    this.release = () => setTimeout(() => { this.held = false; this.draw() })
    for (const name of RELEASES) window.addEventListener(name, this.release)
    this.resizing = new ResizeObserver(() => this.drawn && this.root.isConnected && window.Plotly.Plots.resize(this.graph))
    this.resizing.observe(root)
    this.seen = () => !document.hidden && this.draw()
    document.addEventListener("visibilitychange", this.seen)
    this.charts = new Held()
    this.base = 0
    this.hovered = null // x of the bar under the pointer
    this.times = []
    this.drawing = new Drawing({ root, graph: this.graph, head: this.head, scene: () => this.scene(), paint: () => this.paint(),
      accent: getComputedStyle(root).getPropertyValue("--st-primary-color").trim() || "#4f8ff7" })
    this.drawings = 0
    this.follow = true
    this.linked = linked()
  }

  receive(data, tell, draw) {
    this.root.classList.toggle("tp-stale", Boolean(data.stale))
    const notes = JSON.stringify(data.notes)
    if (notes !== this.noted) {
      this.noted = notes
      this.notes.replaceChildren(...data.notes.map((note) => {
        const line = document.createElement("span")
        line.className = `tp-note tp-${note.level}`
        line.textContent = note.text
        return line
      }))
    }
    const chart = this.charts.found(data, tell)
    if (!chart) return
    this.drawing.take({ marks: chart.marks, answers: data.answers, can: data.draws, tell: draw })
    if (data.revision === this.revision) return
    this.revision = data.revision
    this.pending = { chart, revision: data.revision }
    this.draw()
  }

  // Draws what is pending, unless the user is dragging: a redraw would take the graph out of their hand.
  async draw() {
    await plotly()
    if (this.held || this.closed || !this.pending || (document.hidden && this.drawn)) return
    const { chart, revision } = this.pending
    this.pending = null
    this.chart = chart
    this.place(chart)
    this.root.dataset.bars = this.times.length
    this.root.dataset.first = this.base
    await this.frame()
    if (!this.drawn && !this.closed) this.listen()
    this.paint()
    this.root.dataset.revision = revision
    this.show()
  }

  // Has Plotly draw the frame, if it is another one or the view is.
  frame() {
    const { order, traces, first, layout } = this.chart, shift = this.base - first
    this.fixed = axes(layout).filter((name) => layout[name].range)
    const view = { "xaxis.range": [...this.range] }
    for (const [name, value] of Object.entries(this.ticks())) view[`xaxis.${name}`] = value
    for (const [name, range] of Object.entries(this.fit())) view[`${name}.range`] = range
    const { meta: { last, ...meta }, xaxis: { range, ...xaxis }, shapes, ...rest } = layout
    const moved = shapes.map((shape) => (shape.xref === "x" ? { ...shape, x0: shape.x0 + shift, x1: shape.x1 + shift } : shape))
    const entries = order.map((uid) => traces[uid]).filter((trace) => trace.showlegend !== false).map(entry)
    const panes = axes(layout).map((name) => ({ type: "scatter", x: [null], y: [null], yaxis: name.replace("axis", ""), showlegend: false }))
    const font = { ...rest.font, family: getComputedStyle(this.root).fontFamily }
    const data = [...entries, ...panes], whole = { ...rest, meta, font, xaxis, shapes: moved }, told = JSON.stringify([data, whole])
    const changes = Object.fromEntries(Object.entries(view).filter(([name, value]) => String(this.given?.[name]) !== String(value)))
    this.given = view
    if (told === this.told && !Object.keys(changes).length) return null
    if (told === this.told) this.framing = window.Plotly.relayout(this.graph, changes)
    else {
      this.graph.style.height = `${meta.height}px`
      const figure = JSON.parse(told)
      // The range is this object's business alone: Plotly must not bring back one that it remembers.
      figure[1].xaxis.uirevision = figure[1].datarevision = ++this.drawings
      for (const [name, value] of Object.entries(view)) {
        const [axis, key] = name.split(".")
        figure[1][axis][key] = value
      }
      this.told = told
      this.framing = window.Plotly.react(this.graph, ...figure, { ...CONFIG, modeBarButtons: this.buttons() })
    }
    return this.framing
  }

  // Draws the bars where Plotly's axes are now.
  paint() {
    const full = this.graph._fullLayout
    if (this.closed || !this.chart || !full?.xaxis?._length) return
    const place = this.graph.querySelector(".gl-container") // between Plotly's two pictures
    if (this.canvas.parentElement !== place) place.append(this.canvas)
    const { left, right } = this.shown(), y = {}
    for (const name of axes(this.chart.layout)) {
      const { _offset: offset, _length: length, range } = full[name]
      y[name.replace("axis", "")] = { offset, length, range }
    }
    const x = { offset: full.xaxis._offset, length: full.xaxis._length, range: this.range }
    const view = { width: full.width, height: full.height, x, y, base: this.base, from: left, to: right + 1, font: full.font.family }
    const scene = this.scene()
    const layers = { under: (brush) => this.drawing.under(brush, scene), over: (brush) => this.drawing.over(brush, scene) }
    drawBars(this.canvas, view, this.chart, (trace) => this.hidden(trace), this.chart.layout.meta.last, layers)
    this.root.dataset.painted = Number(this.root.dataset.painted ?? 0) + 1
  }

  // Where bars and prices lie, for what is drawn on them; null before there are any.
  scene() {
    const full = this.graph._fullLayout
    if (!this.chart || !this.times.length || !full?.xaxis?._length) return null
    const style = { font: full.font.family, surface: this.chart.layout.paper_bgcolor }
    return sceneOf(full, this.range, this.base, this.times, this.digits, style)
  }

  buttons() {
    const camera = { name: "Download as a picture", icon: window.Plotly.Icons.camera, click: () => this.download() }
    return [["pan2d", "zoom2d", "zoomIn2d", "zoomOut2d", camera]]
  }

  // Offers what is seen as a file: the frame, and the bars over it.
  async download() {
    const { width, height } = this.graph._fullLayout, scale = window.devicePixelRatio || 1
    const frame = new Image(), whole = document.createElement("canvas")
    frame.src = await window.Plotly.toImage(this.graph, { format: "png", width, height, scale })
    await frame.decode()
    Object.assign(whole, { width: width * scale, height: height * scale })
    const brush = whole.getContext("2d")
    for (const picture of [frame, this.canvas]) brush.drawImage(picture, 0, 0, whole.width, whole.height)
    const link = document.createElement("a")
    link.href = whole.toDataURL("image/png")
    link.download = `${this.key.replace(/[^A-Za-z0-9.-]+/g, "_")}.png`
    link.click()
  }

  // Finds where the new bars lie against those on screen, and with it what to look at.
  place(data) {
    const dropped = this.times.indexOf(data.times[0])
    const added = data.times.indexOf(this.times[0]) // older bars: the rdb was started again and is still reading
    const known = data.key === this.key && (dropped >= 0 || added >= 0)
    this.base = known ? this.base + (dropped >= 0 ? dropped : -added) : 0
    this.key = data.key
    this.times = data.times
    this.local = data.local
    this.limits = data.limits
    this.digits = data.digits
    this.plainDigits = data.plain_digits
    if (!known) {
      this.follow = true
      this.lead = this.limits.margin
      this.span = Math.min(this.limits.in_view, this.times.length) + this.lead
      this.takeLinked(data.address)
    }
    const same = known && JSON.stringify(this.address) === JSON.stringify(data.address)
    this.address = data.address
    if (!known) this.hovered = null
    if (this.follow) this.range = this.newest()
    if (!same) this.remember()
  }

  // At first the view is that of the page's address, if it is one of the same bars.
  takeLinked({ symbol, interval }) {
    const link = this.linked
    this.linked = null
    if (link?.symbol !== symbol || link.interval !== interval || !(link.bars > 0)) return
    this.span = Math.min(link.bars, this.limits.most_in_view, this.times.length) + this.lead
    const last = this.times.findLastIndex((time) => time <= link.until)
    if (!link.until || last < 0 || last === this.times.length - 1) return
    this.follow = false
    this.range = [last + 0.5 - link.bars, last + 0.5]
  }

  remember() {
    clearTimeout(this.remembering)
    this.remembering = setTimeout(() => {
      const page = new URL(window.location.href), [left, right] = this.range
      const last = Math.min(this.times.length - 1, Math.floor(right - this.base))
      const told = { ...this.address, bars: Math.round(right - left - (this.follow ? this.lead : 0)),
        until: this.follow || last < 0 ? null : this.times[last] }
      for (const [name, value] of Object.entries(told)) {
        if (value === null) page.searchParams.delete(name)
        else page.searchParams.set(name, value)
      }
      if (page.href !== window.location.href) window.history.replaceState(window.history.state, "", page)
    }, ADDRESS_MS)
  }

  // The view that ends `lead` bars after the newest one.
  newest() {
    const right = this.base + this.times.length - 0.5 + this.lead
    return [right - this.span, right]
  }

  goToLatest() {
    if (!this.times.length) return
    this.lead = this.limits.margin
    this.span = Math.min(Math.max(this.span, 30), this.limits.in_view + this.lead)
    this.look(this.newest())
  }

  // Looks at the bars in `range`, moved to where there are bars, and at no more than are allowed. A view that holds the
  // newest bar follows what comes.
  look(range) {
    const { most_in_view, margin } = this.limits, end = this.base + this.times.length - 0.5
    this.span = Math.min(range[1] - range[0], most_in_view + margin, this.times.length + 2 * margin)
    const right = Math.max(Math.min(range[1], end + margin), this.base - 0.5 - margin + this.span)
    this.range = [right - this.span, right]
    this.follow = right >= end
    this.lead = Math.max(0, right - end)
    this.frame() // Plotly tells when it is drawn, and the bars follow
    this.show()
    this.remember()
  }

  listen() {
    this.drawn = true
    // Where the user moved the view to; null for a change of `look`, which alone puts labels. To go by the time would not
    // do: the next turn of a wheel comes while the one before is still being drawn.
    const moved = (event) => {
      const range = event["xaxis.range"] ?? [event["xaxis.range[0]"], event["xaxis.range[1]"]]
      if ("xaxis.tickvals" in event || !Number.isFinite(range[0]) || !Number.isFinite(range[1])) return null
      return range
    }
    this.graph.on("plotly_relayouting", (event) => { // a wheel or a drag under way: nothing may pull it back
      this.range = this.moving = moved(event) ?? this.range
      this.movedAt = performance.now()
      this.follow = false
      this.paint()
    })
    this.graph.on("plotly_relayout", (event) => { // told late, it may be of a turn before the last one
      const range = moved(event), late = this.moving && performance.now() - this.movedAt < TOLD_WITHIN_MS
      if (range) this.look(late ? this.moving : range)
    })
    this.graph.on("plotly_restyle", () => this.look(this.range))
    this.graph.on("plotly_afterplot", () => this.paint())
  }

  // Notes which bar the pointer is at, null for none, and draws the crosshair there.
  point(event) {
    const full = this.graph._fullLayout
    const inside = event && full?.xaxis && event.target.closest?.(".draglayer") && this.times.length
    const box = inside ? this.graph.getBoundingClientRect() : null
    const x = inside ? event.clientX - box.left - full.xaxis._offset : -1
    const over = inside && x >= 0 && x <= full.xaxis._length
    this.across.hidden = this.along.hidden = !over
    if (!over && this.hovered === null) return
    const [left, right] = this.range
    const place = Math.round(left + (x / (full?.xaxis?._length || 1)) * (right - left))
    this.hovered = over ? Math.max(this.base, Math.min(this.base + this.times.length - 1, place)) : null
    if (over) {
      const { l, t, h, w } = full._size, top = this.graph.offsetTop
      const middle = full.xaxis._offset + ((this.hovered - left) / (right - left)) * full.xaxis._length
      this.along.style.cssText = `left:${this.graph.offsetLeft + middle}px;top:${top + t}px;height:${h}px`
      this.across.style.cssText = `left:${this.graph.offsetLeft + l}px;width:${w}px;top:${top + event.clientY - box.top}px`
    }
    this.show()
    this.explain(over ? event : null)
  }

  // Indices of the first and the last bar in view.
  shown() {
    const left = Math.max(0, Math.ceil(this.range[0] - this.base))
    return { left, right: Math.min(this.times.length - 1, Math.floor(this.range[1] - this.base)) }
  }

  // The range of every free y axis that holds what is drawn on it between the edges of the view.
  fit() {
    const { left: from, right: to } = this.shown(), found = {}
    for (const trace of Object.values(this.chart.traces)) {
      const name = trace.yaxis.replace("y", "yaxis")
      if (this.fixed.includes(name) || this.hidden(trace) || trace.meta?.signals || trace.meta?.area) continue
      const lows = trace.low ?? trace.y, highs = trace.high ?? trace.y
      const reach = (found[name] ??= { low: Infinity, high: -Infinity, bars: false })
      reach.bars ||= trace.type === "bar"
      for (let i = from; i <= to; i++) {
        if (lows[i] !== null && lows[i] < reach.low) reach.low = lows[i]
        if (highs[i] !== null && highs[i] > reach.high) reach.high = highs[i]
      }
    }
    const ranges = {}
    for (const [name, { low, high, bars }] of Object.entries(found)) {
      if (low > high) continue
      const bottom = bars ? Math.min(0, low) : low, top = bars ? Math.max(0, high) : high
      const room = (top - bottom || Math.abs(top) || 1) * (name === "yaxis" ? 0.1 : 0.08), step = stepOf(top - bottom + 2 * room)
      const floor = bottom === 0 ? 0 : Math.floor((bottom - room) / step) * step
      ranges[name] = [floor, top === 0 ? 0 : Math.ceil((top + room) / step) * step]
    }
    return ranges
  }

  hidden(trace) {
    const all = this.graph._fullData
    const drawn = all?.find((full) => full.uid === trace.uid) ?? all?.find((full) => full.legendgroup && full.legendgroup === trace.legendgroup)
    return (drawn?.visible ?? true) !== true
  }

  ticks() {
    const { left: from, right: to } = this.shown()
    const room = Math.max(2, Math.floor((this.graph.clientWidth || 900) / TICK_PX))
    const { places, labels } = ticks(this.local, from, to, room, (this.range[1] - this.range[0]) / room)
    return { tickmode: "array", tickvals: places.map((i) => i + this.base), ticktext: labels }
  }

  // The read-out: the values at the crosshair, else those of the newest bar.
  show() {
    this.latest.hidden = this.follow || !this.times.length
    this.root.dataset.follow = this.follow
    this.root.dataset.range = this.range.join(",")
    const i = this.hovered === null ? this.times.length - 1 : this.hovered - this.base
    if (!this.chart || i < 0 || i >= this.times.length) return this.bar.replaceChildren()
    const { order, traces } = this.chart, price = traces.candles
    const number = (value, digits) =>
      value === null || value === undefined ? "–"
        : digits > this.plainDigits ? String(Number(value.toPrecision(6)))
        : formatter(digits).format(value)
    const change = price.open[i] ? ((price.close[i] - price.open[i]) / Math.abs(price.open[i])) * 100 : 0
    const side = change >= 0 ? "tp-up" : "tp-down"
    const items = [item("", stamp(this.local[i]), "tp-time")]
    for (const [name, letter] of [["open", "O"], ["high", "H"], ["low", "L"], ["close", "C"]]) {
      items.push(item(letter, number(price[name][i], this.digits), side))
    }
    items.push(item("", `${change >= 0 ? "+" : ""}${change.toFixed(2)} %`, side))
    for (const trace of order.map((uid) => traces[uid])) {
      if (!trace.meta?.readout || this.hidden(trace) || (trace.meta.sided && (trace.y[i] ?? null) === null)) continue
      const value = item(trace.meta.readout, number(trace.y[i], trace.meta.digits))
      value.lastChild.style.color = trace.meta.color
      items.push(value)
    }
    this.bar.replaceChildren(...items)
  }

  // The reasons of the signals at the bar under the pointer, beside it.
  explain(pointer) {
    const lines = []
    for (const trace of pointer ? Object.values(this.chart.traces) : []) {
      const side = this.hidden(trace) ? null : trace.meta?.signals
      const i = side ? trace.x.indexOf(this.hovered - this.base + this.chart.first) : -1
      for (const [signal, reason] of i < 0 ? [] : trace.customdata[i]) {
        lines.push(item(`${side.toUpperCase()} · ${signal}`, reason, `tp-${side}`))
      }
    }
    this.reasons.replaceChildren(...lines)
    this.reasons.hidden = !lines.length
    if (!lines.length) return
    const place = this.root.getBoundingClientRect(), right = pointer.clientX - place.left
    const left = right + 16 + this.reasons.offsetWidth > place.width ? right - 16 - this.reasons.offsetWidth : right + 16
    this.reasons.style.left = `${Math.max(0, left)}px`
    this.reasons.style.top = `${pointer.clientY - place.top + 14}px`
  }

  close() {
    this.closed = true
    clearTimeout(this.remembering)
    this.charts.close()
    this.drawing.close()
    document.removeEventListener("visibilitychange", this.seen)
    for (const name of RELEASES) window.removeEventListener(name, this.release)
    this.resizing.disconnect()
    // Purged under a drawing's hands, the graph would have Plotly read a layout that is gone.
    this.framing?.finally(() => window.Plotly.purge(this.graph))
    this.root.replaceChildren()
  }
}

function linked() {
  const found = new URL(window.location.href).searchParams
  return { symbol: found.get("symbol"), interval: found.get("interval"), bars: Number(found.get("bars")), until: Number(found.get("until")) }
}

// What stands for a trace in Plotly's legend, and is switched off there.
function entry({ uid, name, legendgroup, mode, line, marker }) {
  return { type: "scatter", uid, name, legendgroup, mode, line, marker, x: [null], y: [null], showlegend: true, hoverinfo: "skip" }
}

// 1, 2 or 5 times a power of ten: about a STEPS_OF_A_PANE-th of a length.
function stepOf(length) {
  const rough = length / STEPS_OF_A_PANE, power = 10 ** Math.floor(Math.log10(rough))
  return power * ([1, 2, 5].find((times) => times * power >= rough) ?? 10)
}

const formatters = new Map()
function formatter(digits) {
  if (!formatters.has(digits)) {
    formatters.set(digits, new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }))
  }
  return formatters.get(digits)
}

function part(root, name, tag = "div") {
  const element = document.createElement(tag)
  element.className = name
  root.append(element)
  return element
}

function item(name, value, className = "") {
  const element = document.createElement("span")
  element.className = `tp-item ${className}`
  const caption = document.createElement("i"), number = document.createElement("b")
  caption.textContent = name
  number.textContent = value
  element.append(caption, number)
  return element
}

const axes = (layout) => Object.keys(layout).filter((name) => name.startsWith("yaxis"))
