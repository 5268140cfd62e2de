// What there is: symbols with their zones and digits, intervals, indicators, and of what kind each feed is.

import { digitsOf } from "../model/numbers.js"
import { parsed } from "../model/overlay.js"
import { isZone } from "../model/times.js"
import { sentenceOf } from "./client.js"

const USUAL = ["1m", "2m", "5m", "15m", "1h", "1d"]

export class Catalogue {
  constructor(app) {
    this.app = app
    this.symbols = new Map() // sym -> {sym, tables, first, last, exchange, time_zone}
    this.indicators = new Map() // name -> entry
    this.digits = new Map() // sym -> digits of its prices
    this.kinds = {} // feed -> kind, e.g. of a recording under a name of its own
    this.stored = new Set(USUAL) // intervals whose bars are rows; others are made on request
    this.told = null
  }

  /** Ask for everything; what did not change is not handed on again. */
  load(anew = false) {
    if (anew) this.told = null
    this.loadSymbols()
    this.#loadIndicators()
    this.#loadKinds()
  }

  async loadSymbols() {
    const { app } = this
    try {
      const answer = await app.service.get("/symbols")
      const list = answer.filter((each) => each.tables.includes("bars"))
      this.symbols = new Map(list.map((each) => [each.sym, each]))
      const told = [...this.symbols.keys()].join()
      if (told === this.told) return
      this.told = told
      app.symbolsChanged(list)
    } catch (error) {
      app.toastOnce("symbols", "bad", sentenceOf(error))
    }
  }

  async #loadIndicators() {
    try {
      const list = await this.app.service.get("/indicators")
      this.indicators = new Map(list.map((entry) => [entry.name, entry]))
      this.app.indicatorsChanged()
    } catch (error) {
      this.app.toastOnce("indicators", "bad", `The catalogue of indicators did not come. ${sentenceOf(error)}`)
    }
  }

  async #loadKinds() {
    try {
      const status = await this.app.service.get("/status")
      for (const feed of status.feeds) this.kinds[feed.name] = feed.kind
    } catch {
      // the names of the sources say it alone then
    }
  }

  /** The intervals of a symbol: those that have bars, and those that can be made. */
  async intervalsOf(sym) {
    const answer = await this.app.service.get("/intervals", { sym })
    this.stored = new Set(answer.stored)
    return [...answer.stored, ...answer.on_request]
  }

  /** Values of an indicator beside the bars from a time on: {times, outputs: {name: [..]}}. */
  async valuesOf(text, sym, interval, startMs) {
    const { name, parameters } = parsed(text)
    const bars = { sym, interval, start: new Date(startMs).toISOString() }
    const answer = await this.app.service.change("POST", "/indicators/calculate?times=ms", { name, parameters, bars })
    return { times: answer.time, outputs: answer.outputs }
  }

  /** The digits of a symbol's prices, by the first bars of it that came: all parts show the same. */
  learnDigits(sym, bars) {
    if (!this.digits.has(sym) && bars.length) {
      this.digits.set(sym, digitsOf(bars.slice(-200).flatMap((bar) => [bar.open, bar.close])))
    }
    return this.digitsOf(sym)
  }

  digitsOf(sym) {
    return this.digits.get(sym) ?? 2
  }

  /** The time zone of a symbol's exchange; UTC where none is told. */
  zoneOf(sym) {
    const zone = this.symbols.get(sym)?.time_zone
    return zone && isZone(zone) ? zone : "UTC"
  }
}
