// Runs: backtests, replays, paper and live, the one that changed last first, with how far each is.

import { el, table } from "../dom.js"
import { quantityText } from "../model/numbers.js"
import { msOf, stampText } from "../model/times.js"

const SHOWN = 100

export class Runs {
  constructor(app, element) {
    this.app = app
    this.rows = new Map() // run -> its newest row
    this.body = el("div", {}, el("p", { class: "empty" }, "Loading runs …"))
    element.append(this.body)
  }

  follow() {
    this.app.socket.subscribe("runs", { channel: "runs", last: SHOWN }, (rows, reset) => this.take(rows, reset))
  }

  /** Rows come in the order of the journal, each with the whole run: the last one counts. */
  take(rows, reset) {
    if (reset) this.rows.clear()
    for (const row of rows) {
      this.rows.delete(row.run)
      this.rows.set(row.run, row)
    }
    this.draw()
  }

  draw() {
    const rows = [...this.rows.values()].reverse().slice(0, SHOWN)
    if (!rows.length) {
      const text = "No run yet. A strategy that is started is one; so is `plant backtest`."
      this.body.replaceChildren(el("p", { class: "empty" }, text))
      return
    }
    const time = (value) => (msOf(value) === null ? "–" : stampText(msOf(value), this.app.zone))
    const columns = [
      { name: "Run", of: (row) => row.run },
      { name: "Strategy", of: (row) => row.sym },
      { name: "Mode", of: (row) => el("span", { class: "badge", "data-kind": row.mode }, row.mode.toUpperCase()) },
      { name: "State", of: (row) => el("span", { class: "state", "data-state": row.state }, row.state) },
      { name: "Progress", of: progress },
      { name: "Bars", of: (row) => quantityText(row.bars), number: true },
      { name: "Market time", of: (row) => time(row.market_time) },
      { name: "Changed", of: (row) => time(row.time) },
      { name: "Detail", of: (row) => row.detail ?? "", wide: true },
    ]
    this.body.replaceChildren(table("Runs", columns, rows))
  }
}

function progress(row) {
  if (!Number.isFinite(row.progress) || row.mode === "paper" || row.mode === "live") return "–"
  const share = Math.round(100 * row.progress)
  const filled = el("span", { style: { width: `${share}%` } })
  return el("div", { class: "bar", role: "img", "aria-label": `${share} %` }, filled)
}
