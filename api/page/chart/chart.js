// One chart: candles and volume of a symbol and interval, live, with what is drawn over them.

import {
  CandlestickSeries,
  createChart,
  createSeriesMarkers,
  createTextWatermark,
  HistogramSeries,
} from "../vendor/lightweight-charts.mjs"
import { el, set, tell } from "../dom.js"
import { daysOf } from "../model/axis.js"
import { Bars } from "../model/bars.js"
import { badgeOf, freshnessOf, kindOf } from "../model/honesty.js"
import { dayOf, intervalMs, partsOf } from "../model/times.js"
import { sentenceOf } from "../service/client.js"
import { Drawing } from "./drawing.js"
import { drawDays, drawObjects, Layer } from "./layer.js"
import { CANDLES, chartOptions, paint, readBar, VOLUME } from "./look.js"
import { Overlays } from "./overlays.js"
import { faded, palette } from "./palette.js"

export const LOADED = 500
const MORE_BELOW = 30 // bars left of the view, and older ones are asked for
const MOST_MARKERS = 400
const POLL_MS = 5000

export class Chart {
  /** `app` is what all parts share (main.js); `key` names the chart's subscription; `days` shades days (the tab Zones). */
  constructor(app, key, interval, { days = false, last = LOADED } = {}) {
    this.app = app
    this.key = key
    this.interval = interval
    this.sym = ""
    this.bars = new Bars()
    this.loaded = last
    this.error = ""
    this.days = days
    this.atEdge = true
    this.exhausted = false
    this.colors = palette()
    this.element = this.#elements()
    this.#chart()
    this.overlays = new Overlays(app, this)
    this.drawing = new Drawing(app, this)
    this.paint()
  }

  #elements() {
    this.fresh = el("span", { class: "fresh" })
    this.readout = el("div", { class: "readout" })
    this.note = el("p", { class: "note", role: "status" }, "Loading bars …")
    this.latest = el(
      "button",
      { type: "button", class: "latest", hidden: true, onclick: () => this.toLatest() },
      "Go to latest",
    )
    this.canvas = el("div", { class: "canvas", tabindex: "0", role: "application" })
    this.canvas.append(this.readout, this.note, this.latest)
    this.header = el("header", {})
    return el(
      "article",
      { class: "chart", onfocusin: () => this.app.focusChart(this), onpointerdown: () => this.app.focusChart(this) },
      this.header,
      this.canvas,
    )
  }

  #chart() {
    this.chart = createChart(this.canvas, chartOptions(this.app, this))
    this.candles = this.chart.addSeries(CandlestickSeries, CANDLES)
    this.volume = this.chart.addSeries(HistogramSeries, VOLUME)
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } })
    this.markers = createSeriesMarkers(this.candles, [])
    this.watermark = createTextWatermark(this.chart.panes()[0], {
      visible: false,
      horzAlign: "center",
      vertAlign: "center",
      lines: [],
    })
    this.dayLayer = new Layer((context, size) => this.#drawDays(context, size), "bottom")
    this.layer = new Layer((context, size) => this.#drawObjects(context, size), "normal")
    this.candles.attachPrimitive(this.dayLayer)
    this.candles.attachPrimitive(this.layer)
    this.chart.subscribeCrosshairMove((moved) => this.#read(moved))
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => this.#viewed(range))
  }

  /** Show a symbol and interval; what another one had is gone at once, so that no price stands under a wrong name. */
  show(sym, interval = this.interval) {
    if (sym === this.sym && interval === this.interval) return
    this.sym = sym
    this.interval = interval
    this.error = ""
    this.exhausted = false
    this.bars = new Bars()
    this.overlays.clear()
    this.drawing.cancel()
    this.draw("all")
    set(this.canvas, {
      "aria-label": `Chart of ${sym}, bars of ${interval}. Arrow keys scroll, plus and minus zoom, brackets choose what is drawn.`,
    })
    this.note.hidden = false
    tell(this.note, sym ? `Loading bars of ${sym}, ${interval} …` : "Choose a symbol.")
    if (!sym) return
    clearInterval(this.poll)
    if (this.app.catalogue.stored.has(interval)) {
      const request = { channel: "bars", sym: [sym], interval, last: this.loaded }
      this.app.socket.subscribe(this.key, request, (rows, reset, live) => this.take(rows, reset, live))
    } else {
      this.app.socket.unsubscribe(this.key) // no stream has bars that are made on request
      this.#ask(this.loaded, true)
      this.poll = setInterval(() => this.#ask(3, false), POLL_MS)
    }
    this.chart.timeScale().scrollToRealTime()
  }

  async #ask(last, reset) {
    const { sym, interval, bars } = this
    try {
      const { rows } = await this.app.service.rows("/bars", { sym, interval, last, session: "extended" })
      if (bars === this.bars) this.take(rows, reset)
    } catch (error) {
      if (bars === this.bars) this.app.toastOnce(`bars ${sym} ${interval}`, "bad", sentenceOf(error))
    }
  }

  take(rows, reset, live = false) {
    const before = this.bars.last?.ms
    const changed = this.bars.take(rows, reset, live ? Date.now() : null)
    this.draw(changed)
    this.note.hidden = this.bars.list.length > 0
    if (!this.bars.list.length) tell(this.note, `No bars of ${this.sym}, ${this.interval}, yet.`)
    if (changed === "all" || this.bars.last?.ms !== before || rows.some((row) => row.closed)) this.overlays.refresh()
    this.app.barsChanged(this)
  }

  draw(changed) {
    const { list } = this.bars
    if (changed === "all") {
      this.digits = this.app.catalogue.learnDigits(this.sym, list)
      this.candles.applyOptions({ priceFormat: { type: "price", precision: this.digits, minMove: 10 ** -this.digits } })
      this.candles.setData(list.map((bar) => this.#candle(bar)))
      this.drawnTo = list.at(-1)?.ms ?? -Infinity
      this.volume.setData(list.map((bar) => this.#volume(bar)))
      this.markers.setMarkers(this.#marks())
    } else {
      for (const bar of changed) {
        const past = bar.ms < this.drawnTo // of several new bars in one message each is the newest in its turn
        this.drawnTo = Math.max(this.drawnTo, bar.ms)
        this.candles.update(this.#candle(bar), past)
        this.volume.update(this.#volume(bar), past)
      }
    }
    this.#mark()
    this.#read({})
    this.redraw()
  }

  #candle(bar) {
    return { time: bar.ms / 1000, open: bar.open, high: bar.high, low: bar.low, close: bar.close }
  }

  #volume(bar) {
    const color = faded(bar.close >= bar.open ? this.colors.up : this.colors.down, 0.35)
    return { time: bar.ms / 1000, value: Number.isFinite(bar.volume) ? bar.volume : 0, color }
  }

  /** Signals and fills as markers at their bars. */
  marksChanged() {
    this.markers.setMarkers(this.#marks())
  }

  #marks() {
    if (!this.bars.list.length) return []
    const first = this.bars.list[0].ms
    const marks = this.app
      .marksOf(this.sym, this.interval)
      .filter((mark) => mark.ms >= first)
      .map((mark) => {
        const bar = this.bars.list[Math.max(0, this.bars.indexOf(mark.ms + 1) - 1)]
        const buy = mark.side === "buy" || mark.side === "long"
        const color =
          mark.kind === "fill"
            ? buy
              ? this.colors.accent
              : this.colors.violet
            : buy
              ? this.colors.up
              : this.colors.down
        return {
          time: bar.ms / 1000,
          position: buy ? "belowBar" : "aboveBar",
          shape: mark.kind === "fill" ? "circle" : buy ? "arrowUp" : "arrowDown",
          color,
          text: mark.kind === "fill" ? mark.text : "",
          size: 1,
        }
      })
    marks.sort((a, b) => a.time - b.time)
    return marks.slice(-MOST_MARKERS)
  }

  /** Say across the chart what is simulated or replayed: a picture of it alone must not pass for the market. */
  #mark() {
    const badge = badgeOf(kindOf(this.bars.last?.source, this.app.catalogue.kinds))
    this.said = badge && badge.kind !== "delayed" ? `${badge.word} PRICES` : ""
    const lines = this.said
      ? [{ text: this.said, color: faded(this.colors.violet, 0.2), fontSize: 20, fontStyle: "bold" }]
      : []
    this.watermark.applyOptions({ visible: lines.length > 0, lines })
  }

  redraw() {
    this.layer.redraw()
    if (this.days) this.dayLayer.redraw()
  }

  /** What places and times are computed with. */
  get frame() {
    return {
      list: this.bars.list,
      lengthMs: intervalMs(this.interval),
      series: this.candles,
      timeScale: this.chart.timeScale(),
    }
  }

  get tick() {
    return 10 ** -(this.digits ?? 2)
  }

  #drawObjects(context, size) {
    drawObjects(context, size, this.drawing.objects(), this.app.chosen, this.colors, this.frame)
  }

  #drawDays(context, size) {
    if (!this.days) return
    const days = daysOf(this.bars.list, (ms) => dayOf(ms, this.app.zone))
    const nameOfDay = (day) => `${partsOf(Date.parse(`${day}T12:00Z`), "UTC").weekday} ${day.slice(5)}`
    drawDays(context, size, days, this.bars.list.length, this.colors, { timeScale: this.chart.timeScale(), nameOfDay })
  }

  #read({ time }) {
    const hovered = time !== undefined
    const bar = hovered ? this.bars.at(time * 1000) : this.bars.last
    if (!bar) return this.readout.replaceChildren()
    const more = hovered ? this.overlays.read(bar.ms) : []
    const told = { zone: this.app.zone, interval: this.interval, digits: this.digits, hovered, more }
    this.readout.replaceChildren(...readBar(bar, told))
  }

  #viewed(range) {
    if (!range) return
    this.atEdge = range.to >= this.bars.list.length - 2
    this.latest.hidden = this.atEdge || !this.bars.list.length
    if (range.from < MORE_BELOW) this.#loadMore()
  }

  async #loadMore() {
    if (this.loading || this.exhausted || this.bars.list.length < this.loaded) return
    const { sym, interval, bars } = this
    this.loading = true
    try {
      const end = new Date(bars.list[0].ms).toISOString()
      const { rows } = await this.app.service.rows("/bars", { sym, interval, end, last: LOADED, session: "extended" })
      if (bars !== this.bars) return
      this.exhausted = bars.prepend(rows) === 0
      if (this.exhausted) return
      const scale = this.chart.timeScale()
      const view = scale.getVisibleRange()
      this.draw("all")
      if (view) scale.setVisibleRange(view)
      this.overlays.refresh()
    } catch (error) {
      this.exhausted = true
      this.app.toast("bad", `Older bars could not be loaded. ${sentenceOf(error)}`)
    } finally {
      this.loading = false
    }
  }

  toLatest() {
    this.chart.timeScale().scrollToRealTime()
  }

  /** Scroll by bars (keyboard). */
  scroll(bars) {
    const scale = this.chart.timeScale()
    scale.scrollToPosition(scale.scrollPosition() + bars, false)
  }

  /** Zoom by a factor around the right edge (keyboard). */
  zoom(factor) {
    const scale = this.chart.timeScale()
    const range = scale.getVisibleLogicalRange()
    if (range) scale.setVisibleLogicalRange({ from: range.to - (range.to - range.from) * factor, to: range.to })
  }

  /** Once a second: how fresh the newest bar is, or why there is none. */
  beat(nowMs) {
    const error = this.app.socket.stream.subscriptions.get(this.key)?.error
    if (error && error !== this.error) {
      this.error = error
      this.note.hidden = this.bars.list.length > 0
      tell(this.note, error.detail)
    }
    const fresh = freshnessOf(this.bars.last, this.interval, nowMs)
    this.fresh.dataset.level = fresh.level
    tell(this.fresh, this.app.socket.stream.subscriptions.get(this.key)?.lagged ? "catching up" : fresh.text)
  }

  /** Take over the colours in force. */
  paint() {
    this.colors = palette()
    paint(this.chart, this.candles, this.colors)
    this.draw("all")
  }
}
