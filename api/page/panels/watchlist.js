// The watchlist: last price, change, the trend of each interval, and a blink where a new signal came.

import { el, replace, set, tell } from "../dom.js"
import { Bars, TREND_BARS, trendOf } from "../model/bars.js"
import { noticesOf } from "../model/honesty.js"
import { changeText, priceText } from "../model/numbers.js"
import { dayOf, intervalMs, msOf } from "../model/times.js"

const SHOWN = 60
const DAY_BARS = 110 // of the largest interval: more than a day of 15m
const ARROWS = { up: "▲", down: "▼", flat: "■" }
const BLINK_MS = 6000
const CLOSES = 3

export class Watchlist {
  constructor(app, element) {
    this.app = app
    this.symbols = []
    this.series = new Map() // interval -> sym -> Bars
    this.closes = new Map() // sym -> close of the previous session
    this.rows = new Map()
    this.signalled = new Map() // sym -> {row, until}
    this.found = el("input", {
      type: "search",
      placeholder: "Symbol",
      "aria-label": "Find a symbol",
      oninput: () => this.list(),
    })
    this.found.addEventListener("keydown", (event) => event.key === "Enter" && this.#first())
    this.ul = el("ul", { "aria-label": "Symbols" })
    this.empty = el("p", { class: "empty" }, "Loading symbols …")
    this.count = el("span", { class: "soft" })
    element.append(
      el("header", {}, el("h2", {}, "Watchlist"), this.count),
      el("div", { class: "find" }, this.found),
      this.ul,
      this.empty,
    )
    this.ul.addEventListener("keydown", (event) => this.#key(event))
  }

  /** The symbols there are, [{sym, ...}]. */
  take(symbols) {
    this.symbols = symbols.map((each) => each.sym)
    tell(this.empty, symbols.length ? "" : "The plant has no symbol yet. As soon as a feed sends bars, they are here.")
    this.empty.hidden = symbols.length > 0
    this.follow()
    this.list()
  }

  /** Follow the bars of the chosen intervals, for as many symbols as are shown. */
  follow() {
    const watched = this.watched
    const intervals = [...new Set(this.app.choices.intervals)].sort((a, b) => intervalMs(a) - intervalMs(b))
    const told = `${watched.join()} ${intervals.join()}`
    if (told === this.told) return
    for (const interval of this.intervals ?? []) this.app.socket.unsubscribe(`watch ${interval}`)
    Object.assign(this, { told, intervals, series: new Map() })
    if (!watched.length) return
    for (const interval of intervals) {
      const bySym = new Map(watched.map((sym) => [sym, new Bars(DAY_BARS)]))
      this.series.set(interval, bySym)
      const last = interval === intervals.at(-1) ? DAY_BARS : TREND_BARS + 1
      this.app.socket.subscribe(
        `watch ${interval}`,
        { channel: "bars", sym: watched, interval, last },
        (rows, reset, live) => this.#rows(interval, bySym, rows, reset, live),
      )
    }
    this.app.socket.subscribe(
      "watch closes",
      { channel: "bars", sym: watched, interval: "1d", last: CLOSES },
      (rows, reset) => this.#closes(rows, reset),
    )
  }

  /** Those that are followed: the first of the list, and the one on the charts. */
  get watched() {
    const some = this.symbols.slice(0, SHOWN)
    return this.app.sym && this.symbols.includes(this.app.sym) && !some.includes(this.app.sym)
      ? [this.app.sym, ...some.slice(1)]
      : some
  }

  #rows(interval, bySym, rows, reset, live) {
    if (this.series.get(interval) !== bySym) return
    if (reset) for (const bars of bySym.values()) bars.take([], true)
    const bySymbol = Map.groupBy ? Map.groupBy(rows, (row) => row.sym) : grouped(rows)
    for (const [sym, some] of bySymbol) {
      bySym.get(sym)?.take(some, false, live ? Date.now() : null)
      this.app.catalogue.learnDigits(sym, some)
    }
    for (const sym of reset ? bySym.keys() : bySymbol.keys()) this.#show(sym)
    this.app.pricesChanged(reset ? null : [...bySymbol.keys()])
  }

  /** Bars of days: the change counts from the last close before the day of the newest bar. */
  #closes(rows, reset) {
    if (reset) this.closes.clear()
    for (const row of rows) {
      const others = (this.closes.get(row.sym) ?? []).filter((each) => each.ms !== msOf(row.time))
      this.closes.set(
        row.sym,
        [...others, { ms: msOf(row.time), close: row.close }].sort((a, b) => a.ms - b.ms).slice(-CLOSES),
      )
      this.#show(row.sym)
    }
  }

  /** The newest bar of a symbol and its interval: of the smallest one that has bars. */
  newest(sym) {
    let found = null
    for (const interval of this.intervals ?? []) {
      const bar = this.series.get(interval)?.get(sym)?.last
      if (
        bar &&
        (!found || bar.ms + intervalMs(interval) > found.bar.ms + intervalMs(found.interval) + intervalMs(interval))
      )
        found = { bar, interval }
    }
    return found
  }

  /** The change as a fraction since the last close of an earlier day, and what it is counted from; null if not known. */
  change(sym) {
    const newest = this.newest(sym)
    if (!newest) return null
    const zone = this.app.catalogue.zoneOf(sym)
    const day = dayOf(newest.bar.ms, zone)
    const daily = (this.closes.get(sym) ?? []).filter((each) => dayOf(each.ms, zone) < day).at(-1)
    const list = this.series.get(this.intervals.at(-1))?.get(sym)?.list ?? []
    const before = daily ?? list.findLast((bar) => dayOf(bar.ms, zone) < day)
    if (!before) return null
    return {
      fraction: newest.bar.close / before.close - 1,
      from: `${priceText(before.close)}, ${daily ? "the previous session's close" : "the last bar of the day before"}`,
    }
  }

  /** Draw the list of those that match what is typed. */
  list() {
    const wanted = this.found.value.trim().toUpperCase()
    const shown = this.symbols.filter((sym) => sym.toUpperCase().includes(wanted)).slice(0, SHOWN)
    this.rows = new Map(shown.map((sym) => [sym, this.#row(sym)]))
    replace(this.ul, ...[...this.rows.values()].map((row) => row.item))
    tell(
      this.count,
      this.symbols.length > shown.length
        ? `${shown.length} of ${this.symbols.length}`
        : String(this.symbols.length || ""),
    )
    for (const sym of shown) this.#show(sym)
  }

  #row(sym) {
    const row = {
      last: el("span", { class: "last number" }, "–"),
      change: el("span", { class: "change" }),
      trends: el("span", { class: "trends" }),
      said: el("span", { class: "said" }),
      signal: el("span", { class: "signal" }),
      price: NaN,
    }
    row.button = el(
      "button",
      { type: "button", "data-key": `watch ${sym}`, onclick: () => this.app.chooseSymbol(sym) },
      el("span", { class: "sym" }, sym, " ", row.said),
      row.last,
      row.trends,
      row.change,
      row.signal,
    )
    row.item = el("li", {}, row.button)
    return row
  }

  #show(sym) {
    const row = this.rows.get(sym)
    if (!row) return
    set(row.button, { "aria-pressed": String(sym === this.app.sym) })
    const newest = this.newest(sym)
    const change = this.change(sym)
    if (newest) {
      const text = priceText(newest.bar.close, this.app.catalogue.digitsOf(sym))
      if (row.last.textContent !== text) {
        if (Number.isFinite(row.price) && newest.bar.close !== row.price)
          this.#flash(row.last, newest.bar.close > row.price)
        row.price = newest.bar.close
        tell(row.last, text)
      }
    } else {
      row.price = NaN
      tell(row.last, "–")
    }
    row.change.className = `change ${!change ? "flat" : change.fraction > 0 ? "up" : change.fraction < 0 ? "down" : "flat"}`
    tell(row.change, changeText(change?.fraction))
    row.change.title = change ? `since ${change.from}` : "no close of an earlier day is known"
    const trends = (this.intervals ?? []).map((interval) => {
      const trend = trendOf(
        this.series
          .get(interval)
          ?.get(sym)
          ?.list.filter((bar) => bar.closed !== false) ?? [],
      )
      const said = trend
        ? `${trend}: the last closed bar against the mean of ${TREND_BARS}`
        : `fewer than ${TREND_BARS} closed bars`
      return el(
        "span",
        { title: `${interval} ${said}` },
        `${interval} `,
        el("span", { class: trend ?? "flat", "aria-label": trend ?? "not known" }, ARROWS[trend] ?? "–"),
      )
    })
    row.trends.replaceChildren(...trends)
    this.#say(sym, row, newest)
  }

  #say(sym, row, newest) {
    const notice = newest && noticesOf(newest.bar, newest.interval, Date.now(), { kinds: this.app.catalogue.kinds })[0]
    tell(row.said, notice?.word ?? "")
    set(row.said, { "data-kind": notice?.kind ?? "", title: notice?.detail ?? "" })
    const signalled = this.signalled.get(sym)
    const fresh = signalled && signalled.until > Date.now()
    row.item.classList.toggle("signalled", Boolean(fresh))
    tell(
      row.signal,
      fresh ? `${signalled.row.signal.replaceAll("_", " ")} · ${signalled.row.side} · ${signalled.row.interval}` : "",
    )
  }

  #flash(element, up) {
    element.classList.remove("rose", "fell")
    void element.offsetWidth // begins the animation anew
    element.classList.add(up ? "rose" : "fell")
  }

  /** A signal came while the page was open: blink. */
  signal(row) {
    this.signalled.set(row.sym, { row, until: Date.now() + BLINK_MS })
    this.#show(row.sym)
  }

  beat() {
    for (const [sym, row] of this.rows) this.#say(sym, row, this.newest(sym))
  }

  chosenChanged() {
    this.follow()
    for (const [sym, row] of this.rows) set(row.button, { "aria-pressed": String(sym === this.app.sym) })
  }

  /** Choose the next symbol of the list, or the one before. */
  step(by) {
    const shown = [...this.rows.keys()]
    if (shown.length) this.app.chooseSymbol(shown[(shown.indexOf(this.app.sym) + by + shown.length) % shown.length])
  }

  #key(event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (!by) return
    event.preventDefault()
    const buttons = [...this.ul.querySelectorAll("button")]
    buttons[buttons.indexOf(document.activeElement) + by]?.focus()
  }

  #first() {
    const [sym] = this.rows.keys()
    if (!sym) return
    this.found.value = ""
    this.app.chooseSymbol(sym)
    this.list()
  }
}

function grouped(rows) {
  const found = new Map()
  for (const row of rows) found.set(row.sym, [...(found.get(row.sym) ?? []), row])
  return found
}
