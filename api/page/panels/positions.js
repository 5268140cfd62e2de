// Positions, open orders and fills of the chosen account, and the lines of them on the charts.

import { el, table } from "../dom.js"
import { digitsOf, moneyText, priceText, quantityText } from "../model/numbers.js"
import { clockText, msOf, stampText } from "../model/times.js"
import { sentenceOf } from "../service/client.js"

const OPEN = new Set(["created", "submitting", "accepted", "partially_filled", "cancelling", "unknown"])
const FINAL = new Set(["filled", "cancelled", "expired", "rejected", "refused", "replaced"])
const FILLS = 100
const SOON_MS = 150
const CANCELLED_WITHIN_MS = 8000

const price = (value) => priceText(value, digitsOf([value]))
const signed = (value) => (value > 0 ? "up" : value < 0 ? "down" : "flat")

export class Positions {
  constructor(app, element) {
    this.app = app
    this.positions = []
    this.orders = []
    this.fills = []
    this.error = ""
    this.body = el("div", {}, el("p", { class: "empty" }, "Loading positions …"))
    element.append(this.body)
  }

  /** Follow orders, fills and positions: what comes has the page ask for the whole, folded by the service. */
  follow() {
    for (const channel of ["orders", "fills", "positions"]) {
      this.app.socket.subscribe(channel, { channel, last: 1 }, () => this.soon())
    }
  }

  soon() {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.load(), SOON_MS)
  }

  async load() {
    const account = this.app.accounts.chosen?.name
    const asked = (this.asked = (this.asked ?? 0) + 1)
    try {
      const [positions, orders, fills] = await Promise.all(
        ["/positions", "/orders", "/fills"].map((path) =>
          this.app.service.rows(path, { account, limit: path === "/fills" ? FILLS : null }),
        ),
      )
      if (asked !== this.asked) return
      const mine = (row) => !account || row.account === account
      this.positions = positions.rows.filter((row) => mine(row) && row.qty)
      this.orders = orders.rows.filter((row) => mine(row) && OPEN.has(row.state))
      this.recent = orders.rows.filter((row) => mine(row) && !OPEN.has(row.state)).slice(0, 20)
      this.fills = fills.rows.filter(mine)
      this.error = ""
    } catch (error) {
      if (asked !== this.asked) return
      this.error = sentenceOf(error)
    }
    this.draw()
    this.app.positionsChanged()
  }

  draw() {
    const parts = [
      this.error && el("p", { class: "empty wrong" }, this.error),
      this.#positions(),
      this.#orders(),
      this.#fills(),
    ]
    this.body.replaceChildren(...parts.filter(Boolean))
  }

  #positions() {
    if (!this.positions.length)
      return el("p", { class: "empty" }, `No position on ${this.app.accounts.chosen?.name ?? "this account"}.`)
    const columns = [
      { name: "Symbol", of: (row) => row.sym },
      { name: "Strategy", of: (row) => row.strategy || "–" },
      { name: "Quantity", of: (row) => quantityText(row.qty), number: true, classOf: (row) => signed(row.qty) },
      { name: "Average", of: (row) => price(row.average), number: true },
      { name: "Price", of: (row) => price(row.price), number: true },
      {
        name: "Unrealised",
        of: (row) => moneyText(row.unrealised, true),
        number: true,
        classOf: (row) => signed(row.unrealised),
      },
      {
        name: "Realised",
        of: (row) => moneyText(row.realised, true),
        number: true,
        classOf: (row) => signed(row.realised),
      },
      {
        name: "",
        of: (row) =>
          el(
            "button",
            { type: "button", class: "plain", "data-key": `close ${row.sym}`, onclick: () => this.#close(row) },
            "Close",
          ),
      },
    ]
    return table("Positions", columns, this.positions, { caption: "Positions" })
  }

  #orders() {
    const rows = [...this.orders, ...(this.recent ?? [])]
    if (!rows.length) return el("p", { class: "empty" }, "No order yet.")
    const columns = [
      { name: "Time", of: (row) => clockText(msOf(row.made_at) ?? msOf(row.time), this.app.zone, true) },
      { name: "Symbol", of: (row) => row.sym },
      { name: "Side", of: (row) => row.side, classOf: (row) => (row.side === "buy" ? "up" : "down") },
      { name: "Quantity", of: (row) => `${quantityText(row.filled ?? 0)} of ${quantityText(row.qty)}`, number: true },
      { name: "Type", of: (row) => String(row.kind).replaceAll("_", " ") },
      { name: "Limit", of: (row) => price(row.limit_price), number: true },
      { name: "Stop", of: (row) => price(row.stop_price), number: true },
      {
        name: "State",
        of: (row) => el("span", { class: "state", "data-state": row.state }, String(row.state).replaceAll("_", " ")),
      },
      {
        name: "",
        of: (row) =>
          OPEN.has(row.state) &&
          el(
            "button",
            { type: "button", class: "plain", "data-key": `cancel ${row.order_id}`, onclick: () => this.#cancel(row) },
            "Cancel",
          ),
      },
      { name: "Reason", of: (row) => this.#reason(row), wide: true },
    ]
    return table(
      "Orders",
      columns,
      rows.map((row) => row),
      { caption: "Orders, open ones first" },
    )
  }

  #reason(row) {
    const flat = !this.positions.some((position) => position.sym === row.sym)
    const left = flat && OPEN.has(row.state) && ["page-stop", "page-target"].includes(row.tag)
    return left ? "The position it was for is closed: it would open a new one. Cancel it." : row.reason || ""
  }

  #fills() {
    if (!this.fills.length) return null
    const columns = [
      { name: "Time", of: (row) => stampText(msOf(row.market_time) ?? msOf(row.time), this.app.zone, "1s") },
      { name: "Symbol", of: (row) => row.sym },
      { name: "Side", of: (row) => row.side, classOf: (row) => (row.side === "buy" ? "up" : "down") },
      { name: "Quantity", of: (row) => quantityText(row.qty), number: true },
      { name: "Price", of: (row) => price(row.price), number: true },
      { name: "Commission", of: (row) => moneyText(row.commission), number: true },
      {
        name: "Realised",
        of: (row) => moneyText(row.realised, true),
        number: true,
        classOf: (row) => signed(row.realised),
      },
    ]
    return table(
      "Fills",
      columns,
      [...this.fills].sort((a, b) => (msOf(b.time) ?? 0) - (msOf(a.time) ?? 0)),
      { caption: "Fills" },
    )
  }

  async #cancel(row) {
    await this.app.attempt(
      () => this.app.service.change("DELETE", `/orders/${encodeURIComponent(row.order_id)}`),
      `Cancel asked for: ${row.side} ${quantityText(row.qty)} ${row.sym}.`,
    )
    this.soon()
  }

  async #close(row) {
    const sentence = `Close ${quantityText(row.qty)} ${row.sym} at market, account ${row.account}`
    if (
      !(await this.app.ask(
        "Close the position?",
        `${sentence}${this.app.accounts.isLive ? ", with REAL MONEY" : " (paper)"}.`,
        "Close it",
      ))
    )
      return
    await this.app.attempt(
      () =>
        this.app.service.change("POST", `/positions/${encodeURIComponent(row.sym)}/close`, { account: row.account }),
      `${sentence}: asked for.`,
    )
    this.soon()
  }

  /** Lines for the charts: the average, and stops and targets that can be dragged. */
  linesOf(sym, colors) {
    const lines = []
    const line = (id, value, text, order) =>
      Number.isFinite(value) &&
      lines.push({
        id,
        kind: "level",
        type: "order",
        sym,
        price: value,
        start_at: null,
        end_at: null,
        text,
        source: "order",
        state: "active",
        style: {},
        order,
      })
    for (const position of this.positions.filter((row) => row.sym === sym)) {
      const way = position.qty > 0 ? "long" : "short"
      line(
        `position ${position.strategy}`,
        position.average,
        `${way} ${quantityText(Math.abs(position.qty))} at ${price(position.average)}`,
        { position, color: this.app.accounts.isLive ? colors.live : colors.paper },
      )
    }
    for (const order of this.orders.filter((row) => row.sym === sym)) {
      const stop = order.kind === "stop" || order.kind === "stop_limit"
      const value = stop ? order.stop_price : order.limit_price
      line(
        `order ${order.order_id}`,
        value,
        `${order.side} ${quantityText(order.qty)} ${stop ? "stop" : "limit"} ${price(value)}`,
        { order, color: stop ? colors.down : colors.up },
      )
    }
    return lines
  }

  /** What a line says while it is dragged to a price: from the average of a position come its stop and its target. */
  dragText({ order, position }, value) {
    if (order) return `move to ${price(value)}`
    const stop = value < position.price === position.qty > 0
    return `${stop ? "stop" : "target"} ${price(value)}`
  }

  /** A line was dragged: a new stop or target, or an order at another price: cancelled, then given anew. */
  async move({ order, position }, value) {
    const stop = order ? order.kind === "stop" : value < position.price === position.qty > 0
    const kind = order?.kind ?? ""
    if (kind === "stop_limit" || kind === "trailing")
      return this.app.toast(
        "bad",
        `An order of type ${kind.replaceAll("_", " ")} is not moved on the chart: cancel it and give a new one.`,
      )
    const of = order ?? {
      sym: position.sym,
      side: position.qty > 0 ? "sell" : "buy",
      qty: Math.abs(position.qty),
      account: position.account,
      filled: 0,
      time_in_force: "gtc",
      tag: "",
    }
    const tag = of.tag || (position ? (stop ? "page-stop" : "page-target") : "")
    const qty = of.qty - (of.filled || 0)
    const told = `${of.side} ${quantityText(qty)} ${of.sym} ${stop ? "stop" : "limit"} ${price(value)}`
    const how = order
      ? "The order is cancelled, then given anew; between the two there is none."
      : "It stays until it is filled or cancelled; a stop and a target do not cancel each other."
    if (
      !(await this.app.ask(
        order ? "Move the order?" : `Set a ${stop ? "stop" : "target"}?`,
        `${told}, account ${of.account}${this.app.accounts.isLive ? ", REAL MONEY" : " (paper)"}. ${how}`,
        order ? "Move it" : "Set it",
      ))
    )
      return
    try {
      if (order) await this.#gone(order.order_id)
      await this.app.service.change("POST", "/orders", {
        sym: of.sym,
        side: of.side,
        type: stop ? "stop" : "limit",
        qty,
        [stop ? "stop_price" : "limit_price"]: value,
        time_in_force: of.time_in_force || "gtc",
        account: of.account,
        tag,
      })
      this.app.toast("good", `${told}: taken.`)
    } catch (error) {
      this.app.toast(
        "bad",
        `${told}: not taken. ${sentenceOf(error)}${order ? " Look at the orders: the one before may be cancelled." : ""}`,
      )
    }
    this.soon()
  }

  /** Cancel an order and wait until it is: only then is another given in its place. */
  async #gone(id) {
    const path = `/orders/${encodeURIComponent(id)}`
    await this.app.service.change("DELETE", path)
    const until = Date.now() + CANCELLED_WITHIN_MS
    for (;;) {
      const answer = await this.app.service.get(path)
      const order = answer.order ?? answer
      if (FINAL.has(order.state)) {
        if (order.state === "filled") throw new Error("the order was filled before it could be cancelled")
        return
      }
      if (Date.now() > until) throw new Error("the cancel is not confirmed yet; nothing new was given")
      await new Promise((done) => setTimeout(done, SOON_MS))
    }
  }
}
