// The page: what its parts share, and who is told when something changes.

import { onThemeChange, palette } from "./chart/palette.js"
import { badge, byId, el, set, tell, wireSplitter } from "./dom.js"
import * as choices from "./model/choices.js"
import { noticesOf } from "./model/honesty.js"
import { changeText, priceText } from "./model/numbers.js"
import { parsed } from "./model/overlay.js"
import { connectionText } from "./model/stream.js"
import { clockText, isZone, msOf } from "./model/times.js"
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
import { Watchlist } from "./panels/watchlist.js"
import { AnnotationDesk } from "./service/annotations.js"
import { Service, sentenceOf } from "./service/client.js"
import { Socket } from "./service/socket.js"

const BEAT_MS = 1000
const SYMBOLS_EVERY_MS = 30_000

class App {
  constructor() {
    this.choices = choices.load(localStorage)
    this.service = new Service()
    this.service.key = choices.key(sessionStorage)
    this.socket = new Socket(this.service, { told: () => this.#connection(), marked: () => this.#marked() })
    this.hidden = new Set(this.choices.hidden)
    this.indicators = new Map()
    this.symbols = new Map()
    this.digits = new Map() // of prices, by symbol
    this.kinds = {} // feed -> kind, e.g. a recording under a name of its own
    this.stored = new Set(["1m", "2m", "5m", "15m", "1h", "1d"])
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
    byId("open-settings").addEventListener("click", () => this.settings.open())
    byId("connection").addEventListener("click", () => this.settings.open())
    byId("open-shortcuts").addEventListener("click", () => this.shortcuts.open())
    wireSplitter(byId("bottom-splitter"), "clientY", (pixels) => this.#bottom(this.choices.bottom - pixels))
    this.#bottom(this.choices.bottom)
    onThemeChange(() => this.stage.all().forEach((chart) => chart.paint()))
    this.stage.tab(this.choices.tab)
    setInterval(() => this.#beat(Date.now()), BEAT_MS)
    setInterval(() => this.loadSymbols(), SYMBOLS_EVERY_MS)
    document.addEventListener("visibilitychange", () => document.hidden || this.#beat(Date.now()))
  }

  start() {
    this.#connection()
    this.socket.start()
    this.signals.follow()
    this.positions.follow()
    this.strategies.follow()
    this.runs.follow()
    this.load()
  }

  /** Ask for all that is not a stream. */
  load() {
    this.loadSymbols()
    this.#loadIndicators()
    this.tradingChanged()
    this.strategies.load()
    this.runs.load()
    this.#loadKinds()
  }

  async loadSymbols() {
    try {
      const answer = await this.service.get("/symbols", { times: "ms" })
      const list = (answer.symbols ?? answer.rows ?? answer).filter((each) => !each.tables || each.tables.includes("bars"))
      this.symbols = new Map(list.map((each) => [each.sym, each]))
      const told = [...this.symbols.keys()].join()
      if (told === this.symbolsTold) return
      this.symbolsTold = told
      this.watchlist.take(list)
      const wanted = this.symbols.has(this.sym) ? this.sym : this.symbols.has(this.choices.sym) ? this.choices.sym : list[0]?.sym
      if (wanted) this.chooseSymbol(wanted)
    } catch (error) {
      this.toastOnce("symbols", "bad", sentenceOf(error))
    }
  }

  async #loadIndicators() {
    try {
      const answer = await this.service.get("/indicators")
      const list = answer.indicators ?? answer.rows ?? answer
      this.indicators = new Map(list.map((entry) => [entry.name, entry]))
      this.stage.indicators.draw()
      for (const chart of this.stage.all()) chart.overlays.refresh()
    } catch (error) {
      this.toastOnce("indicators", "bad", `The catalogue of indicators did not come. ${sentenceOf(error)}`)
    }
  }

  /** Which kind each feed is, so that a recording under a name of its own is called what it is. */
  async #loadKinds() {
    try {
      const status = await this.service.get("/status")
      for (const feed of status.feeds ?? []) this.kinds[feed.name ?? feed.kind] = feed.kind
    } catch {
      // the names of the sources say it alone then
    }
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

  /** Whether bars of an interval are rows of the plant, which a stream has; others are made on request. */
  isStored(interval) {
    return this.stored.has(interval)
  }

  async #offer(sym) {
    try {
      const answer = await this.service.get("/intervals", { sym })
      const names = Array.isArray(answer) ? answer : [...(answer.stored ?? answer.intervals ?? []), ...(answer.built ?? answer.buildable ?? [])]
      if (sym === this.sym) this.stage.offer(names.map((each) => each.interval ?? each))
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

  get zone() {
    return this.choices.zone && isZone(this.choices.zone) ? this.choices.zone : this.zoneOf(this.sym)
  }

  zoneOf(sym) {
    const zone = this.symbols.get(sym)?.time_zone
    return zone && isZone(zone) ? zone : "UTC"
  }

  useKey(key) {
    choices.keepKey(sessionStorage, key)
    this.service.key = key
    this.socket.start()
    this.toasts.once.clear()
    this.symbolsTold = null
    this.load()
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
    this.stage.indicators.draw()
    for (const chart of this.stage.all()) chart.overlays.refresh()
  }

  /** Values of an indicator beside the bars from a time on: {times, outputs: {name: [..]}}. */
  async indicatorValues(text, sym, interval, startMs) {
    const { name, parameters } = parsed(text)
    const bars = { sym, interval, start: new Date(startMs).toISOString() }
    const answer = await this.service.change("POST", "/indicators/calculate?times=ms", { name, parameters, bars })
    return { times: (answer.time ?? answer.times).map(msOf), outputs: answer.outputs ?? answer.values }
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
    const fills = this.positions.fills.filter((row) => row.sym === sym).map((row) => ({ kind: "fill", ms: msOf(row.market_time) ?? msOf(row.time), side: row.side, text: `${row.side} ${row.qty}` }))
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
    const found = this.stage.all().filter((chart) => chart.sym === this.sym && chart.bars.last).map((chart) => ({ bar: chart.bars.last, interval: chart.interval }))
    const watched = this.watchlist.newest(this.sym)
    const all = watched ? [...found, watched] : found
    const came = ({ bar }) => bar.received ?? bar.ms
    return all.reduce((best, each) => (!best || came(each) > came(best) || (came(each) === came(best) && each.bar.ms > best.bar.ms) ? each : best), null)
  }

  digitsOf(sym) {
    return this.digits.get(sym) ?? 2
  }

  pricesChanged(syms) {
    if (!this.stage || (syms && !syms.includes(this.sym))) return
    const newest = this.newest()
    const change = this.watchlist.change(this.sym)
    const way = change ? (change.fraction >= 0 ? "up" : "down") : "flat"
    const price = priceText(newest?.bar.close, this.digitsOf(this.sym))
    byId("heading").replaceChildren(el("b", {}, this.sym), el("span", { class: "price" }, price), el("span", { class: way, title: change ? `since ${change.from}` : "" }, changeText(change?.fraction)))
    document.title = this.sym ? `${this.sym} ${price} · tickplant` : "tickplant"
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

  #connection() {
    const { level, text } = connectionText(this.socket.stream, Date.now())
    set(byId("connection"), { "data-level": level, title: text })
    tell(byId("connection"), text)
    const live = this.socket.stream.state === "live"
    document.body.classList.toggle("cut-off", !live && level !== "wait")
    if (live && this.wasCutOff) this.load() // what is no stream may have changed meanwhile
    this.wasCutOff = !live
  }

  #marked() {
    const { seq, synced, plant } = this.socket.stream
    tell(byId("position-of-stream"), `plant ${plant} · complete up to ${seq.toLocaleString("en-US")} · on disk up to ${synced.toLocaleString("en-US")}`)
  }

  #beat(nowMs) {
    tell(byId("clock"), `${clockText(nowMs, this.zone, true)} ${this.zone}`)
    const { stream } = this.socket
    if (stream.state === "waiting") this.#connection()
    const newest = this.newest()
    const connected = stream.state === "live"
    const notices = noticesOf(newest?.bar ?? null, newest?.interval ?? "1m", nowMs, { kinds: this.kinds, connected })
    const told = notices.map((notice) => `${notice.word} ${notice.detail}`).join()
    if (told !== this.noticesTold) {
      this.noticesTold = told
      byId("notices").replaceChildren(...notices.map(badge))
    }
    this.stage.beat(nowMs)
    this.watchlist.beat()
    this.order.draw()
    if (byId("settings").open) this.settings.beat(nowMs)
  }
}

new App().start()
