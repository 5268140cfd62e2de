// Runs: backtests, replays, paper and live, newest first, with how far each is.

import { el, table } from "../dom.js"
import { quantityText } from "../model/numbers.js"
import { msOf, stampText } from "../model/times.js"
import { sentenceOf } from "../service/client.js"

const SHOWN = 100
const SOON_MS = 300

export class Runs {
  constructor(app, element) {
    this.app = app
    this.body = el("div", {}, el("p", { class: "empty" }, "Loading runs …"))
    element.append(this.body)
  }

  follow() {
    this.app.socket.subscribe("runs", { channel: "runs", last: 1 }, () => this.soon())
  }

  soon() {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.load(), SOON_MS)
  }

  async load() {
    try {
      const answer = await this.app.service.rows("/runs", { limit: SHOWN })
      this.draw(answer.runs ?? answer.rows)
    } catch (error) {
      this.body.replaceChildren(el("p", { class: "empty wrong" }, sentenceOf(error)))
    }
  }

  draw(rows) {
    if (!rows.length) {
      this.body.replaceChildren(
        el("p", { class: "empty" }, "No run yet. A strategy that is started is one; so is `plant backtest`."),
      )
      return
    }
    const sorted = [...rows].sort((a, b) => (msOf(b.time) ?? 0) - (msOf(a.time) ?? 0)).slice(0, SHOWN)
    const columns = [
      { name: "Run", of: (row) => row.run ?? row.run_id ?? row.id },
      { name: "Strategy", of: (row) => row.sym || row.strategy || "–" },
      {
        name: "Mode",
        of: (row) => el("span", { class: "badge", "data-kind": row.mode }, String(row.mode).toUpperCase()),
      },
      { name: "State", of: (row) => el("span", { class: "state", "data-state": row.state }, row.state) },
      { name: "Progress", of: (row) => progress(row) },
      { name: "Bars", of: (row) => quantityText(row.bars), number: true },
      {
        name: "Market time",
        of: (row) => (msOf(row.market_time) === null ? "–" : stampText(msOf(row.market_time), this.app.zone)),
      },
      { name: "Changed", of: (row) => (msOf(row.time) === null ? "–" : stampText(msOf(row.time), this.app.zone)) },
      { name: "Detail", of: (row) => row.detail ?? "", wide: true },
    ]
    this.body.replaceChildren(table("Runs", columns, sorted))
  }
}

function progress(row) {
  if (!Number.isFinite(row.progress) || row.mode === "paper" || row.mode === "live") return "–"
  const filled = el("span", { style: { width: `${Math.round(100 * row.progress)}%` } })
  return el("div", { class: "bar", role: "img", "aria-label": `${Math.round(100 * row.progress)} %` }, filled)
}
