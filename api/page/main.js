// The page: what its parts share, and who is told when something changes.

import { onThemeChange, palette } from "./chart/palette.js"
import { byId, wireSplitter } from "./dom.js"
import * as choices from "./model/choices.js"
import { isZone, msOf } from "./model/times.js"
import { Accounts } from "./panels/accounts.js"
import { Lower } from "./panels/lower.js"
import { OrderPanel } from "./panels/order.js"
import { Positions } from "./panels/positions.js"
import { ask } from "./panels/question.js"
import { Runs } from "./panels/runs.js"
import { Settings } from "./panels/settings.js"
import { Shortcuts } from "./panels/shortcuts.js"
import { Signals } from "./panels/signals.js"
import { Stage } from "./panels/stage.js"
import { Strategies } from "./panels/strategies.js"
import { Toasts } from "./panels/toasts.js"
import { Top } from "./panels/top.js"
import { Watchlist } from "./panels/watchlist.js"
import { AnnotationDesk } from "./service/annotations.js"
import { Catalogue } from "./service/catalogue.js"
import { Service, sentenceOf } from "./service/client.js"
import { Socket } from "./service/socket.js"

const BEAT_MS = 1000
const SYMBOLS_EVERY_MS = 30_000

class App {
  constructor() {
    this.choices = choices.load(localStorage)
    this.service = new Service()
    this.service.key = choices.key(sessionStorage)
    this.socket = new Socket(this.service, { told: () => this.#told(), marked: () => this.top.mark() })
    this.catalogue = new Catalogue(this)
    this.top = new Top(this)
    this.hidden = new Set(this.choices.hidden)
    this.sym = ""
    this.chosen = null
    this.tool = null
    this.toasts = new Toasts(byId("toasts"))
    this.annotations = new AnnotationDesk(this)
    this.watchlist = new Watchlist(this, byId("watch"))
    this.lower = new Lower(this, byId("lower"))
    this.positions = new Positions(this, this.lower.bodies.position)
    this.signals = new Signals(this, this.lower.bodies.signals)
    this.strategies = new Strategies(this, this.lower.bodies.strategies)
    this.runs = new Runs(this, this.lower.bodies.runs)
    this.stage = new Stage(this, byId("stage"), [byId("tab-charts"), byId("tab-zones")])
    this.accounts = new Accounts(this)
    this.order = new OrderPanel(this, byId("order"))
    this.settings = new Settings(this, byId("settings"))
    this.shortcuts = new Shortcuts(this, byId("shortcuts"))
    wireSplitter(byId("bottom-splitter"), "clientY", (pixels) => this.#bottom(this.choices.bottom - pixels))
    this.#bottom(this.choices.bottom)
    onThemeChange(() => this.stage.all().forEach((chart) => chart.paint()))
    this.stage.tab(this.choices.tab)
    setInterval(() => this.#beat(Date.now()), BEAT_MS)
    setInterval(() => this.catalogue.loadSymbols(), SYMBOLS_EVERY_MS)
    document.addEventListener("visibilitychange", () => document.hidden || this.#beat(Date.now()))
  }

  start() {
    this.top.connection()
    this.socket.start()
    this.signals.follow()
    this.positions.follow()
    this.strategies.follow()
    this.runs.follow()
    this.load()
  }

  /** Ask for all that is not a stream. */
  load(anew = false) {
    this.catalogue.load(anew)
    this.tradingChanged()
    this.strategies.load()
  }

  // --- what there is ---

  symbolsChanged(list) {
    this.watchlist.take(list)
    const names = [this.sym, this.choices.sym, list[0]?.sym]
    const wanted = names.find((sym) => this.catalogue.symbols.has(sym))
    if (wanted) this.chooseSymbol(wanted)
  }

  indicatorsChanged() {
    this.stage.indicators.draw()
    for (const chart of this.stage.all()) chart.overlays.refresh()
  }

  // --- what is chosen ---

  chooseSymbol(sym) {
    if (sym === this.sym) return
    this.sym = sym
    this.choices.sym = sym
    this.keep()
    this.choose(null)
    this.annotations.follow(sym)
    this.stage.symbol(sym)
    this.order.symbol(sym)
    this.watchlist.chosenChanged()
    this.signals.draw()
    this.pricesChanged([sym])
    this.#offer(sym)
  }

  async #offer(sym) {
    try {
      const intervals = await this.catalogue.intervalsOf(sym)
      if (sym === this.sym) this.stage.offer(intervals)
    } catch {
      // the usual ones are offered
    }
  }

  chooseInterval(index, interval) {
    this.choices.intervals = this.choices.intervals.map((each, i) => (i === index ? interval : each))
    this.keep()
    this.watchlist.follow()
    this.watchlist.list()
  }

  chooseZone(zone) {
    this.choices.zone = zone
    this.keep()
    for (const chart of this.stage.all()) chart.paint()
    this.signals.draw()
    this.toast("good", `Times are shown in ${this.zone}.`)
  }

  chooseShortcuts(on) {
    this.choices.shortcuts = on
    this.keep()
  }

  /** The zone in which times are told: the chosen one, else the exchange's. */
  get zone() {
    return isZone(this.choices.zone) ? this.choices.zone : this.catalogue.zoneOf(this.sym)
  }

  useKey(key) {
    choices.keepKey(sessionStorage, key)
    this.service.key = key
    this.socket.start()
    this.toasts.once.clear()
    this.load(true)
  }

  keep() {
    choices.save(localStorage, this.choices)
  }

  // --- overlays and annotations ---

  addOverlay(text) {
    if (this.choices.overlays.includes(text)) return this.toast("note", "It is on the charts already.")
    this.#overlays([...this.choices.overlays, text])
  }

  toggleOverlay(text) {
    this.#overlays(this.choices.overlays.filter((each) => each !== text))
  }

  #overlays(overlays) {
    this.choices.overlays = overlays
    this.keep()
    this.indicatorsChanged()
  }

  annotationsOf(sym, interval) {
    return sym === this.annotations.sym ? this.annotations.fold.shown(sym, interval, this.hidden) : []
  }

  orderLinesOf(sym) {
    return this.positions.linesOf(sym, palette())
  }

  annotationsChanged() {
    const object = this.chosenObject()
    this.stage?.choice(object)
    this.stage?.drawn([...this.annotations.fold.objects.values()])
  }

  toggleGroup(group) {
    if (!this.hidden.delete(group)) this.hidden.add(group)
    this.choices.hidden = [...this.hidden]
    this.keep()
    this.annotationsChanged()
  }

  choose(id) {
    this.chosen = id
    this.annotationsChanged()
  }

  chosenObject() {
    return this.chosen ? this.annotations.get(this.chosen) : null
  }

  useTool(kind) {
    this.tool = kind
    this.stage.tool(kind)
  }

  focusChart(chart) {
    this.stage.focusOn(chart)
  }

  moveOrder(line, price) {
    this.positions.move(line, price)
  }

  /** Signals and fills of a symbol as marks of a chart. */
  marksOf(sym, interval) {
    const signals = this.signals.of(sym, interval).map((row) => ({ kind: "signal", ms: row.ms, side: row.side }))
    const fills = this.positions.fills
      .filter((row) => row.sym === sym)
      .map((row) => ({
        kind: "fill",
        ms: msOf(row.market_time) ?? msOf(row.time),
        side: row.side,
        text: `${row.side} ${row.qty}`,
      }))
    return [...signals, ...fills]
  }

  marksChanged() {
    for (const chart of this.stage?.all() ?? []) chart.marksChanged()
  }

  // --- prices ---

  barsChanged(chart) {
    if (chart.sym === this.sym) this.pricesChanged([this.sym])
  }

  /** The newest price of the symbol on the charts: of the newest bar among charts and watchlist. */
  newest() {
    const found = this.stage
      .all()
      .filter((chart) => chart.sym === this.sym && chart.bars.last)
      .map((chart) => ({ bar: chart.bars.last, interval: chart.interval }))
    const watched = this.watchlist.newest(this.sym)
    const all = watched ? [...found, watched] : found
    const came = ({ bar }) => bar.received ?? bar.ms
    return all.reduce(
      (best, each) =>
        !best || came(each) > came(best) || (came(each) === came(best) && each.bar.ms > best.bar.ms) ? each : best,
      null,
    )
  }

  pricesChanged(syms) {
    if (!this.stage || (syms && !syms.includes(this.sym))) return
    const newest = this.newest()
    this.top.price(this.sym, newest, this.watchlist.change(this.sym))
    this.order.price(newest?.bar.close ?? NaN)
  }

  // --- trading ---

  tradingChanged() {
    this.accounts.load().then(() => this.positions.soon())
  }

  positionsChanged() {
    for (const chart of this.stage.all()) {
      chart.marksChanged()
      chart.redraw()
    }
  }

  // --- words ---

  toast(level, text) {
    this.toasts.say(level, text)
  }

  toastOnce(about, level, text) {
    this.toasts.sayOnce(about, level, text)
  }

  /** Do something at the service, and say how it went; whether it went well. */
  async attempt(action, done) {
    try {
      await action()
      this.toast("good", done)
      return true
    } catch (error) {
      this.toast("bad", sentenceOf(error))
      return false
    }
  }

  /** Ask the person; true if they say yes. */
  ask(title, text, yes) {
    return ask(title, text, yes, this.accounts.isLive)
  }

  /** Escape: stop drawing, disarm, choose nothing. */
  escape() {
    this.useTool(null)
    for (const chart of this.stage.all()) chart.drawing.cancel()
    this.order.ticket.disarm()
    this.order.draw()
    this.choose(null)
  }

  // --- the frame ---

  #bottom(height) {
    this.choices.bottom = Math.round(Math.max(90, Math.min(height, innerHeight * 0.6)))
    document.documentElement.style.setProperty("--bottom", `${this.choices.bottom}px`)
    this.keep()
  }

  #told() {
    if (this.top.connection()) this.load() // what is no stream may have changed meanwhile
  }

  #beat(nowMs) {
    this.top.beat(nowMs, this.newest())
    this.stage.beat(nowMs)
    this.watchlist.beat()
    this.order.draw()
    if (byId("settings").open) this.settings.beat(nowMs)
  }
}

export const app = new App()
app.start()
