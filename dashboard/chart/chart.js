// The live chart: one Plotly graph that lives as long as its place in the page, and is only ever patched with
// Plotly.react. Zoom, pan, drag mode and legend therefore survive every refresh.
//
// What is in view stands in the page's address, where Python finds symbol and interval again and this file the view:
// ?symbol=AAPL&interval=1m&bars=120&until=<ms of the last bar in view, absent while the newest bar is>
//
// data: { revision, whole | base and changes, tell: bool, notes: [{level, text}], stale: bool }
// whole: { key, first, address: {symbol, interval}, plain_digits, times: [UTC ms of each bar], local: [wall-clock ms of each bar],
//          order: [uid], traces: {uid: trace}, layout, digits, limits: {in_view, most_in_view, margin} }
// Or what changed (changes.js) since the chart of revision `base`. Sends the trigger "told": {has: revision} if it should
// tell, {lacks: base} if it cannot say what changed; it draws nothing then.
//
// x of a bar is its ordinal number, and `first` that of the first one; a trace without x has a value for each bar. When
// old bars drop out at the left, the numbers of the others must not move under the user's zoom: `base` is what the first
// one has on screen. Plotly is given only the bars in view, and more to either side once the pointer is there and may move
// them: what it draws is what costs.

import { changed } from "./changes.js"
import { stamp, ticks } from "./clock.js"

const VIEWS = new WeakMap()
const TICK_PX = 88
const ADDRESS_MS = 400 // browsers refuse an address that changes at every turn of the wheel
const TOLD_WITHIN_MS = 1000 // a move is told as done so long after its last step
const HAS_MS = 3000 // Python runs again for what it is told: not more often than this
const KEPT = 5 // charts that changes may be since
const RELEASES = ["pointerup", "pointercancel"]
const CONFIG = {
  displaylogo: false,
  displayModeBar: "hover",
  scrollZoom: true,
  doubleClick: false,
  responsive: false, // a ResizeObserver does it: the page's columns change without the window
  modeBarButtons: [["pan2d", "zoom2d", "zoomIn2d", "zoomOut2d", "toImage"]],
}

let library
const plotly = () => (library ??= import("./plotly-finance.min.js").then(() => window.Plotly))

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".tp-chart")
  if (!VIEWS.has(root)) VIEWS.set(root, new View(root))
  const view = VIEWS.get(root)
  view.receive(data, (what) => setTriggerValue("told", what))
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
    this.bar = part(root, "tp-readout")
    this.notes = part(root, "tp-notes")
    this.latest = part(root, "tp-latest", "button")
    this.latest.type = "button"
    this.latest.textContent = "Go to latest »"
    this.latest.onclick = () => this.goToLatest()
    this.reasons = part(root, "tp-reasons")
    this.reasons.hidden = true
    this.graph.ondblclick = (event) => event.target.closest(".draglayer") && this.goToLatest()
    this.graph.onpointerdown = () => { this.held = true }
    this.graph.onpointerenter = () => { this.over = true; this.widen() }
    this.graph.onpointerleave = () => { this.over = false }
    // Plotly ends its drag on the mouseup that follows: only then may the graph be drawn again.
    this.release = () => setTimeout(() => { this.held = false; this.draw() })
    for (const name of RELEASES) window.addEventListener(name, this.release)
    this.resizing = new ResizeObserver(() => this.drawn && this.root.isConnected && window.Plotly.Plots.resize(this.graph))
    this.resizing.observe(root)
    this.seen = () => !document.hidden && this.draw()
    document.addEventListener("visibilitychange", this.seen)
    this.kept = new Map() // revision -> chart
    this.base = 0
    this.hovered = null // x of the bar under the pointer
    this.times = []
    this.drawings = 0
    this.follow = true
    this.linked = linked()
  }

  receive(data, tell) {
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
    const chart = this.found(data, tell)
    if (!chart || data.revision === this.revision) return
    this.revision = data.revision
    this.pending = { chart, revision: data.revision }
    this.draw()
  }

  // The chart of a message, null if it is what changed since one that is not here.
  found({ revision, whole, base, changes, tell: asked }, tell) {
    const old = this.kept.get(base)
    if (!whole && !old) {
      tell({ lacks: base })
      return null
    }
    if (!whole) this.keep(base, old)
    const chart = whole ?? changed(old, changes)
    if (asked) {
      this.keep(revision, chart)
      clearTimeout(this.telling)
      const told = () => { this.toldAt = performance.now(); tell({ has: revision }) }
      this.telling = setTimeout(told, Math.max(0, (this.toldAt ?? -HAS_MS) + HAS_MS - performance.now()))
    }
    return chart
  }

  keep(revision, chart) {
    this.kept.delete(revision) // it becomes the newest
    this.kept.set(revision, chart)
    if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value)
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
    await this.react()
    if (!this.drawn && !this.closed) this.listen()
    this.root.dataset.revision = revision
    this.show()
  }

  // Gives Plotly the bars in view and those around it.
  react() {
    const { layout, order, first } = this.chart, figure = { data: [], layout: structuredClone(layout) }
    this.reach = this.around(this.over ? 1 : 0.1)
    const [from, to] = this.reach, shift = this.base - first
    const x = Array.from({ length: to - from }, (_, i) => this.base + from + i)
    figure.data = order.map((uid) => this.sliced(this.chart.traces[uid], from, to, x, shift))
    figure.layout.shapes = figure.layout.shapes.filter((shape) => {
      if (shape.xref !== "x") return true
      shape.x0 += shift
      shape.x1 += shift
      return shape.x1 >= this.base + from - 1 && shape.x0 <= this.base + to
    })
    this.fixed = axes(layout).filter((name) => layout[name].range)
    Object.assign(figure.layout.xaxis, { range: [...this.range] }, this.ticks())
    // The range is this object's business alone: Plotly must not bring back one that it remembers.
    figure.layout.xaxis.uirevision = figure.layout.datarevision = ++this.drawings
    for (const [name, range] of Object.entries(this.fit())) figure.layout[name].range = range
    figure.layout.font.family = getComputedStyle(this.root).fontFamily
    this.drawing = window.Plotly.react(this.graph, figure.data, figure.layout, CONFIG)
    return this.drawing
  }

  // The bars in view and so many times as many to either side: [index of the first one, index behind the last one].
  around(times) {
    const [left, right] = this.range, more = (right - left) * times
    const from = Math.max(0, Math.floor(left - more - this.base))
    return [Math.min(from, this.times.length), Math.max(from, Math.min(this.times.length, Math.ceil(right + more - this.base) + 1))]
  }

  // Draws anew if a move of the pointer could bring bars into view that Plotly was not given; returns whether it did.
  widen() {
    if (!this.drawn || this.closed) return false
    const [from, to] = this.around(this.over ? 0.5 : 0)
    if (from >= this.reach[0] && to <= this.reach[1]) return false
    this.react()
    return true
  }

  // A trace as Plotly is given it; the chart's own stays as it is, for others are made of it.
  sliced(trace, from, to, x, shift) {
    const now = { ...trace }
    let start = from, end = to
    if (trace.meta?.area) {
      const [upper, lower] = trace.meta.area.map((uid) => this.chart.traces[uid].y)
      return Object.assign(now, outline(upper, lower, from, to, this.base))
    }
    if (!trace.x) now.x = x
    else {
      now.x = trace.x.map((place) => (place === null ? null : place + shift))
      if (!trace.meta?.signals) return now
      const inReach = (place) => place >= this.base + from && place < this.base + to
      start = Math.max(0, now.x.findIndex(inReach))
      end = now.x.findLastIndex(inReach) + 1
      now.x = now.x.slice(start, end)
    }
    const length = (trace.x ?? this.times).length
    for (const [name, values] of Object.entries(trace)) {
      if (name !== "x" && Array.isArray(values) && values.length === length) now[name] = values.slice(start, end)
    }
    if (Array.isArray(trace.marker?.color)) now.marker = { ...trace.marker, color: trace.marker.color.slice(start, end) }
    return now
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
    this.address = data.address
    if (!known) this.hovered = null
    if (this.follow) this.range = this.newest()
    if (!known) this.remember()
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
    const change = { "xaxis.range": [...this.range] }
    for (const [name, value] of Object.entries(this.ticks())) change[`xaxis.${name}`] = value
    for (const [name, value] of Object.entries(this.fit())) change[`${name}.range`] = value
    if (!this.widen()) window.Plotly.relayout(this.graph, change)
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
    })
    this.graph.on("plotly_relayout", (event) => { // told late, it may be of a turn before the last one
      const range = moved(event), late = this.moving && performance.now() - this.movedAt < TOLD_WITHIN_MS
      if (range) this.look(late ? this.moving : range)
    })
    this.graph.on("plotly_restyle", () => this.look(this.range))
    this.graph.on("plotly_hover", (event) => {
      this.hovered = Math.round(event.points[0].x)
      this.show()
      this.explain(event.event)
    })
    this.graph.on("plotly_unhover", () => { this.hovered = null; this.show(); this.explain(null) })
  }

  // The range of every free y axis that holds what is drawn on it between the edges of the view.
  fit() {
    const from = Math.max(0, Math.ceil(this.range[0] - this.base))
    const to = Math.min(this.times.length - 1, Math.floor(this.range[1] - this.base))
    const found = {}
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
      const room = (top - bottom || Math.abs(top) || 1) * (name === "yaxis" ? 0.1 : 0.08)
      ranges[name] = [bottom === 0 ? 0 : bottom - room, top === 0 ? 0 : top + room]
    }
    return ranges
  }

  hidden(trace) {
    const drawn = this.graph._fullData?.find((full) => full.uid === trace.uid)
    return (drawn?.visible ?? true) !== true
  }

  ticks() {
    const from = Math.max(0, Math.ceil(this.range[0] - this.base))
    const to = Math.min(this.times.length - 1, Math.floor(this.range[1] - this.base))
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
        : value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })
    const change = price.open[i] ? ((price.close[i] - price.open[i]) / Math.abs(price.open[i])) * 100 : 0
    const side = change >= 0 ? "tp-up" : "tp-down"
    const items = [item("", stamp(this.local[i]), "tp-time")]
    for (const [name, letter] of [["open", "O"], ["high", "H"], ["low", "L"], ["close", "C"]]) {
      items.push(item(letter, number(price[name][i], this.digits), side))
    }
    items.push(item("", `${change >= 0 ? "+" : ""}${change.toFixed(2)} %`, side))
    for (const trace of order.map((uid) => traces[uid])) {
      if (!trace.meta?.readout || this.hidden(trace)) continue
      const value = item(trace.meta.readout, number(trace.y[i], trace.meta.digits))
      value.lastChild.style.color = trace.meta.color
      items.push(value)
    }
    this.bar.replaceChildren(...items)
  }

  // The reasons of the signals at the bar under the pointer, beside it.
  explain(pointer) {
    const lines = []
    for (const trace of pointer ? this.graph.data : []) {
      const i = trace.meta?.signals && !this.hidden(trace) ? trace.x.indexOf(this.hovered) : -1
      for (const [signal, reason] of i < 0 ? [] : trace.customdata[i]) {
        const line = item(`${trace.meta.signals.toUpperCase()} · ${signal}`, reason, trace.meta.signals === "buy" ? "tp-buy" : "tp-sell")
        lines.push(line)
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
    clearTimeout(this.telling)
    document.removeEventListener("visibilitychange", this.seen)
    for (const name of RELEASES) window.removeEventListener(name, this.release)
    this.resizing.disconnect()
    // Purged under a drawing's hands, the graph would have Plotly read a layout that is gone.
    this.drawing?.finally(() => window.Plotly.purge(this.graph))
    this.root.replaceChildren()
  }
}

function linked() {
  const found = new URL(window.location.href).searchParams
  return { symbol: found.get("symbol"), interval: found.get("interval"), bars: Number(found.get("bars")), until: Number(found.get("until")) }
}

// The outline of the area between two lines, a closed one for each run of bars that has both: Plotly's `fill: tonexty`
// goes on over a hole as a wedge; outlines apart, with null between them, leave it open.
function outline(upper, lower, from, to, base) {
  const x = [], y = []
  for (let start = from; start < to; start++) {
    let end = start
    while (end < to && upper[end] !== null && lower[end] !== null) end++
    if (end === start) continue
    if (x.length) { x.push(null); y.push(null) }
    for (let i = start; i < end; i++) { x.push(base + i); y.push(upper[i]) }
    for (let i = end - 1; i >= start; i--) { x.push(base + i); y.push(lower[i]) }
    start = end
  }
  return { x, y }
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
