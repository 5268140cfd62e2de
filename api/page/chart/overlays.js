// Indicators on a chart: over the prices, or in panes of their own below them.

import { HistogramSeries, LineSeries, LineStyle } from "../vendor/lightweight-charts.mjs"
import { el } from "../dom.js"
import { priceText } from "../model/numbers.js"
import { labelOf, parsed, pointsOf } from "../model/overlay.js"
import { sentenceOf } from "../service/client.js"
import { faded, lineColor } from "./palette.js"

const LEAST_PAUSE_MS = 1000
const AGAIN_MS = 15_000

export class Overlays {
  constructor(app, chart) {
    this.app = app
    this.chart = chart
    this.shown = new Map() // text -> {series: [{series, output}], values: Map(ms -> [..]), color}
    this.asked = 0
    this.timer = null
  }

  /** Take away what is shown: another symbol or interval comes. */
  clear() {
    this.asked += 1
    clearTimeout(this.timer)
    this.timer = null
    for (const text of [...this.shown.keys()]) this.#remove(text)
  }

  /** Ask for the values again, at most once a second. */
  refresh() {
    if (this.timer) return
    const wait = Math.max(0, LEAST_PAUSE_MS - (Date.now() - (this.last ?? 0)))
    this.timer = setTimeout(() => {
      this.timer = null
      this.last = Date.now()
      this.#load()
    }, wait)
  }

  async #load() {
    const { chart, app } = this
    const { sym, interval, bars } = chart
    const asked = ++this.asked
    if (!sym || !bars.list.length) return
    const wanted = app.choices.overlays
    for (const text of [...this.shown.keys()]) if (!wanted.includes(text)) this.#remove(text)
    for (const text of wanted) {
      const entry = app.catalogue.indicators.get(parsed(text).name)
      if (!entry) continue
      try {
        const values = await app.catalogue.valuesOf(text, sym, interval, bars.list[0].ms)
        if (asked !== this.asked || bars !== chart.bars) return
        this.#show(text, entry, values)
      } catch (error) {
        if (asked !== this.asked) return
        this.#remove(text)
        app.toastOnce(`overlay ${text}`, "bad", `${labelOf(text)} is not shown. ${sentenceOf(error)}`)
        if (error.status === 0 || error.status >= 500) setTimeout(() => this.refresh(), AGAIN_MS)
      }
    }
  }

  #show(text, entry, { times, outputs }) {
    const { chart } = this
    let shown = this.shown.get(text)
    if (!shown) {
      const color = lineColor(this.app.choices.overlays.indexOf(text))
      shown = { series: [], color, own: entry.pane === "own", digits: entry.pane === "own" ? 2 : chart.digits }
      const pane = shown.own ? chart.chart.panes().length : 0
      for (const [n, output] of Object.keys(outputs).entries())
        shown.series.push({ output, series: this.#series(entry, output, n, color, pane) })
      if (shown.own) {
        chart.chart.panes()[pane]?.setStretchFactor(0.28)
        for (const price of entry.levels ?? []) {
          shown.series[0].series.createPriceLine({
            price,
            color: chart.colors.faint,
            lineStyle: LineStyle.Dotted,
            lineWidth: 1,
            axisLabelVisible: false,
            title: "",
          })
        }
      }
      if (shown.own && entry.scale) {
        const [minValue, maxValue] = entry.scale
        const whole = () => ({ priceRange: { minValue, maxValue } })
        for (const { series } of shown.series) series.applyOptions({ autoscaleInfoProvider: whole })
      }
      this.shown.set(text, shown)
    }
    const places = new Map(times.map((ms, i) => [ms, i]))
    const bars = chart.bars.list.map((bar) => bar.ms) // a bar without a value is a gap
    shown.values = new Map(times.map((ms, i) => [ms, Object.values(outputs).map((list) => list[i])]))
    for (const { output, series } of shown.series) {
      const values = bars.map((ms) => (places.has(ms) ? outputs[output][places.get(ms)] : null))
      series.setData(pointsOf(bars, values))
    }
  }

  #series(entry, output, n, color, pane) {
    const { chart } = this
    const line = {
      lineWidth: n ? 1 : 1.5,
      color: n ? faded(lineColor(n + this.app.choices.overlays.length), 0.9) : color,
      lastValueVisible: false,
      priceLineVisible: false,
      crosshairMarkerVisible: false,
    }
    if (entry.pane !== "own") line.color = n ? faded(color, 0.6) : color
    if (output.endsWith("histogram"))
      return chart.chart.addSeries(
        HistogramSeries,
        { color: faded(color, 0.5), lastValueVisible: false, priceLineVisible: false },
        pane,
      )
    return chart.chart.addSeries(LineSeries, line, pane)
  }

  #remove(text) {
    const shown = this.shown.get(text)
    this.shown.delete(text)
    for (const { series } of shown?.series ?? []) this.chart.chart.removeSeries(series) // an empty pane goes with its last series
  }

  /** What the crosshair reads at a bar: spans for the read-out. */
  read(ms) {
    return [...this.shown.entries()]
      .map(([text, { values, color, digits }]) => {
        const found = values?.get(ms) ?? []
        const numbers = found.map((value) => priceText(value, digits)).join(" ")
        return numbers && el("span", { style: { color } }, el("i", {}, labelOf(text)), numbers)
      })
      .filter(Boolean)
  }
}
