// The live chart: one Plotly graph that lives as long as its place in the page, and is only ever patched with
// Plotly.react. Zoom, pan, drag mode and legend therefore survive every refresh.
//
// What is in view stands in the page's address, where Python finds symbol and interval again and this file the view:
// ?symbol=AAPL&interval=1m&bars=120&until=<ms of the last bar in view, absent while the newest bar is>
//
// data: { key, revision, address: {symbol, interval}, plain_digits, figure: {data, layout}, times: [UTC ms of each bar], local: [wall-clock ms of each bar],
//         digits, limits: {in_view, most_in_view, margin}, notes: [{level, text}], stale: bool }
//
// x of a bar is its ordinal number. When old bars drop out at the left, the numbers of the others must not move under the
// user's zoom: `base` counts what was dropped, and is added to every x that comes from Python.

import { stamp, ticks } from "./clock.js"

const VIEWS = new WeakMap()
const TICK_PX = 88
const ADDRESS_MS = 400 // browsers refuse an address that changes at every turn of the wheel
const TOLD_WITHIN_MS = 1000 // a move is told as done so long after its last step
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

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".tp-chart")
  if (!VIEWS.has(root)) VIEWS.set(root, new View(root))
  const view = VIEWS.get(root)
  view.receive(data)
  return () => {
    // Streamlit cleans up after a call that newer data overtook, too: then the place in the page is still there.
    if (root.isConnected) return
    VIEWS.delete(root)
    view.close()
  }
}

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
    // Plotly ends its drag on the mouseup that follows: only then may the graph be drawn again.
    this.release = () => setTimeout(() => { this.held = false; this.draw() })
    for (const name of RELEASES) window.addEventListener(name, this.release)
    this.resizing = new ResizeObserver(() => this.drawn && window.Plotly.Plots.resize(this.graph))
    this.resizing.observe(root)
    this.base = 0
    this.hovered = null // x of the bar under the pointer
    this.times = []
    this.follow = true
    this.linked = linked()
  }

  receive(data) {
    this.root.classList.toggle("tp-stale", Boolean(data.stale))
    this.notes.replaceChildren(...data.notes.map((note) => {
      const line = document.createElement("span")
      line.className = `tp-note tp-${note.level}`
      line.textContent = note.text
      return line
    }))
    if (data.revision === this.revision) return
    this.revision = data.revision
    this.pending = data
    this.draw()
  }

  // Draws what is pending, unless the user is dragging: a redraw would take the graph out of their hand.
  async draw() {
    const Plotly = await plotly()
    if (this.held || this.closed || !this.pending) return
    const data = this.pending
    this.pending = null
    this.place(data)
    const { figure } = data
    for (const trace of figure.data) trace.x = trace.x.map((x) => (x === null ? null : x + this.base))
    for (const shape of figure.layout.shapes) {
      if (shape.xref === "x") { shape.x0 += this.base; shape.x1 += this.base }
    }
    this.fixed = axes(figure.layout).filter((name) => figure.layout[name].range)
    figure.layout.xaxis.range = [...this.range]
    // The range is this object's business alone: Plotly must not bring back one that it remembers.
    figure.layout.xaxis.uirevision = data.revision
    Object.assign(figure.layout.xaxis, this.ticks())
    for (const [name, range] of Object.entries(this.fit(figure.data))) figure.layout[name].range = range
    figure.layout.datarevision = data.revision
    figure.layout.font.family = getComputedStyle(this.root).fontFamily
    this.drawing = Plotly.react(this.graph, figure.data, figure.layout, CONFIG)
    await this.drawing
    if (!this.drawn && !this.closed) this.listen()
    this.root.dataset.revision = data.revision
    this.root.dataset.bars = this.times.length
    this.show()
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
    for (const [name, value] of Object.entries(this.fit(this.graph.data))) change[`${name}.range`] = value
    window.Plotly.relayout(this.graph, change)
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
  fit(traces) {
    const from = Math.max(0, Math.ceil(this.range[0] - this.base))
    const to = Math.min(this.times.length - 1, Math.floor(this.range[1] - this.base))
    const found = {}
    for (const trace of traces) {
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
    const traces = this.graph.data
    if (!traces || i < 0 || i >= this.times.length) return this.bar.replaceChildren()
    const price = traces.find((trace) => trace.uid === "candles")
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
    for (const trace of traces) {
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
