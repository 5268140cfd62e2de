// The tape of signals: newest first, with what each was found on.

import { el, table } from "../dom.js"
import { digitsOf, priceText } from "../model/numbers.js"
import { msOf, stampText } from "../model/times.js"

const KEPT = 300

export class Signals {
  constructor(app, element) {
    this.app = app
    this.rows = new Map() // key -> row
    this.told = false
    this.find = el("input", {
      type: "search",
      placeholder: "Filter",
      "aria-label": "Filter signals",
      oninput: () => this.draw(),
    })
    this.mine = el(
      "button",
      { type: "button", class: "plain", "aria-pressed": "false", onclick: () => this.#toggle() },
      "This symbol",
    )
    this.body = el("div", {}, el("p", { class: "empty" }, "Loading signals …"))
    element.append(el("div", { class: "filter" }, this.find, this.mine), this.body)
  }

  follow() {
    this.app.socket.subscribe("signals", { channel: "signals", last: KEPT }, (rows, reset) => this.take(rows, reset))
  }

  take(rows, reset) {
    if (reset) this.rows.clear()
    for (const row of rows) {
      const key = `${row.sym} ${row.interval} ${row.time} ${row.signal}`
      const known = this.rows.has(key)
      this.rows.set(key, { ...row, ms: msOf(row.time) })
      if (!reset && !known && this.told && row.state !== "withdrawn") this.app.watchlist.signal(row)
    }
    this.told = true
    const over = this.rows.size - KEPT
    if (over > 0) for (const key of [...this.sorted()].slice(-over).map(([each]) => each)) this.rows.delete(key)
    this.draw()
    this.app.marksChanged()
  }

  sorted() {
    return [...this.rows.entries()].sort((a, b) => b[1].ms - a[1].ms)
  }

  /** Signals of a symbol and interval that were not withdrawn. */
  of(sym, interval) {
    return [...this.rows.values()].filter(
      (row) => row.sym === sym && row.interval === interval && row.state !== "withdrawn",
    )
  }

  #toggle() {
    this.mine.setAttribute("aria-pressed", String(this.mine.getAttribute("aria-pressed") !== "true"))
    this.draw()
  }

  draw() {
    const wanted = this.find.value.trim().toLowerCase()
    const only = this.mine.getAttribute("aria-pressed") === "true" ? this.app.sym : ""
    const shown = this.sorted()
      .map(([, row]) => row)
      .filter(
        (row) =>
          (!only || row.sym === only) &&
          (!wanted ||
            `${row.sym} ${row.interval} ${row.signal} ${row.side} ${row.detail}`.toLowerCase().includes(wanted)),
      )
    if (!shown.length) {
      this.body.replaceChildren(
        el(
          "p",
          { class: "empty" },
          this.rows.size
            ? "No signal matches."
            : "No signal yet. The plant writes one when a condition of its rules comes true on a closed bar.",
        ),
      )
      return
    }
    const columns = [
      { name: "Time", of: (row) => stampText(row.ms, this.app.zone, row.interval) },
      {
        name: "Symbol",
        of: (row) =>
          el("button", { type: "button", class: "quiet", onclick: () => this.app.chooseSymbol(row.sym) }, row.sym),
      },
      { name: "Bars", of: (row) => row.interval },
      { name: "Signal", of: (row) => row.signal.replaceAll("_", " ") },
      {
        name: "Side",
        of: (row) => row.side,
        classOf: (row) => (row.side === "buy" ? "up" : row.side === "sell" ? "down" : ""),
      },
      { name: "Price", of: (row) => priceText(row.price, digitsOf([row.price])), number: true },
      {
        name: "Reason",
        of: (row) => `${row.state === "withdrawn" ? "Withdrawn: a bar was corrected. " : ""}${row.detail ?? ""}`,
        wide: true,
      },
    ]
    this.body.replaceChildren(
      table("Signals", columns, shown, { classOf: (row) => (row.state === "withdrawn" ? "void" : "") }),
    )
  }
}
