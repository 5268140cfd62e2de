// How a chart looks: its options, its colours, and the line that reads a bar.

import { LineStyle } from "../vendor/lightweight-charts.mjs"
import { el } from "../dom.js"
import { changeText, priceText, volumeText } from "../model/numbers.js"
import { clockText, dayOf, isDaily, stampText, tickText } from "../model/times.js"
import { faded } from "./palette.js"

const FONT = "system-ui, sans-serif"

/** Options of a chart whose times are told in the zone of `app`. */
export function chartOptions(app, chart) {
  return {
    autoSize: true,
    layout: { attributionLogo: false, fontSize: 11, fontFamily: FONT, panes: { enableResize: true } },
    timeScale: {
      timeVisible: true,
      secondsVisible: false,
      rightOffset: 8,
      barSpacing: 6,
      minBarSpacing: 0.6,
      tickMarkFormatter: (time, weight) => tickText(time * 1000, weight, app.zone),
    },
    localization: { timeFormatter: (time) => stampText(time * 1000, app.zone, chart.interval), locale: "en-US" },
    rightPriceScale: { scaleMargins: { top: 0.08, bottom: 0.2 } },
    crosshair: { mode: 0 },
  }
}

export const CANDLES = { priceLineStyle: LineStyle.Dotted }

export const VOLUME = {
  priceScaleId: "volume",
  priceFormat: { type: "volume" },
  lastValueVisible: false,
  priceLineVisible: false,
}

/** Put the colours in force on a chart and its candles. */
export function paint(chart, candles, colors) {
  chart.applyOptions({
    layout: {
      background: { color: colors.panel },
      textColor: colors.soft,
      panes: { separatorColor: colors.line, separatorHoverColor: faded(colors.accent, 0.3) },
    },
    grid: { vertLines: { color: colors.grid }, horzLines: { color: colors.grid } },
    rightPriceScale: { borderColor: colors.line },
    timeScale: { borderColor: colors.line },
    crosshair: {
      vertLine: { color: colors.faint, labelBackgroundColor: colors.line_strong },
      horzLine: { color: colors.faint, labelBackgroundColor: colors.line_strong },
    },
  })
  const { up, down } = colors
  candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false })
}

/** The spans that read a bar; `more` are those of overlays. Under the crosshair (`hovered`) the whole time is told. */
export function readBar(bar, { zone, interval, digits, hovered, more }) {
  const way = bar.close >= bar.open ? "up" : "down"
  const item = (name, text, cls = way) => el("span", {}, el("i", {}, name), el("span", { class: cls }, text))
  const short = isDaily(interval) ? dayOf(bar.ms, zone) : clockText(bar.ms, zone)
  const when = hovered ? stampText(bar.ms, zone, interval) : short
  return [
    item("", `${when}${bar.closed === false ? " forming" : ""}`, "soft"),
    ...["open", "high", "low", "close"].map((name) => item(name[0].toUpperCase(), priceText(bar[name], digits))),
    item("", changeText(bar.close / bar.open - 1)),
    item("V", volumeText(bar.volume), ""),
    ...more,
  ]
}
