// The top and the foot of the page: the symbol's price, what has to be said of it, the clock, the connection.

import { badge, byId, el, set, tell } from "../dom.js"
import { noticesOf } from "../model/honesty.js"
import { changeText, priceText } from "../model/numbers.js"
import { connectionText } from "../model/stream.js"
import { clockText } from "../model/times.js"

export class Top {
  constructor(app) {
    this.app = app
    byId("open-settings").addEventListener("click", () => app.settings.open())
    byId("connection").addEventListener("click", () => app.settings.open())
    byId("open-shortcuts").addEventListener("click", () => app.shortcuts.open())
  }

  /** The newest bar of the symbol, {bar, interval}, and its change. */
  price(sym, newest, change) {
    const way = change ? (change.fraction >= 0 ? "up" : "down") : "flat"
    const price = priceText(newest?.bar.close, this.app.catalogue.digitsOf(sym))
    byId("heading").replaceChildren(
      el("b", {}, sym),
      el("span", { class: "price" }, price),
      el("span", { class: way, title: change ? `since ${change.from}` : "" }, changeText(change?.fraction)),
    )
    document.title = sym ? `${sym} ${price} · tickplant` : "tickplant"
  }

  /** How the connection is; whether it just came back. */
  connection() {
    const { stream } = this.app.socket
    const { level, text } = connectionText(stream, Date.now())
    set(byId("connection"), { "data-level": level, title: text })
    tell(byId("connection"), text)
    const live = stream.state === "live"
    document.body.classList.toggle("cut-off", !live && level !== "wait")
    const back = live && this.cutOff === true
    this.cutOff = !live
    return back
  }

  /** How far the stream is. */
  mark() {
    const { seq, synced, plant } = this.app.socket.stream
    const far = (number) => number.toLocaleString("en-US")
    tell(byId("position-of-stream"), `plant ${plant} · complete up to ${far(seq)} · on disk up to ${far(synced)}`)
  }

  /** Once a second: the clock, and what has to be said of the prices. */
  beat(nowMs, newest) {
    const { app } = this
    tell(byId("clock"), `${clockText(nowMs, app.zone, true)} ${app.zone}`)
    if (app.socket.stream.state === "waiting") this.connection()
    const connected = app.socket.stream.state === "live"
    const notices = noticesOf(newest?.bar ?? null, newest?.interval ?? "1m", nowMs, {
      kinds: app.catalogue.kinds,
      connected,
    })
    const told = notices.map((notice) => `${notice.word} ${notice.detail}`).join()
    if (told === this.told) return
    this.told = told
    byId("notices").replaceChildren(...notices.map(badge))
  }
}
