// The order ticket: what is typed, whether it can be sent, and whether it is armed. No order is sent unarmed.

import { priceText, quantityText, typed } from "./numbers.js"

export const ARMED_MS = { paper: 30_000, live: 10_000 }
const FIELDS = [
  "sym",
  "account",
  "type",
  "qty",
  "limit_price",
  "stop_price",
  "stop_loss",
  "take_profit",
  "risk",
  "time_in_force",
]

export class Ticket {
  constructor() {
    this.fields = {
      sym: "",
      account: "",
      type: "market",
      qty: "",
      limit_price: "",
      stop_price: "",
      stop_loss: "",
      take_profit: "",
      risk: "",
      time_in_force: "day",
    }
    this.mode = "paper"
    this.last = NaN
    this.armedUntil = 0
    this.pending = null // {side, body, key}: sent, and not known to be taken
    this.halted = ""
  }

  /** Change a field. Whatever changes, what was armed is not any more: one arms what one sees. */
  set(name, value) {
    if (!FIELDS.includes(name)) throw new Error(`a ticket has no field ${name}`)
    if (this.fields[name] === value) return
    this.fields[name] = value
    this.armedUntil = 0
  }

  /** The account's mode changed: paper, or live. */
  setMode(mode) {
    if (mode !== this.mode) this.armedUntil = 0
    this.mode = mode
  }

  /** Sentences that say why this cannot be sent to buy or to sell; none if it can. */
  problems(side) {
    const { fields } = this
    const found = []
    if (this.halted) found.push(this.halted)
    if (this.pending) found.push("The last order's answer is not known yet: repeat it, or look at the orders.")
    if (!fields.sym) found.push("Choose a symbol.")
    const number = (name, label, needed) => {
      const value = typed(fields[name])
      if (Number.isNaN(value)) found.push(`${label} must be a number above 0, found “${fields[name]}”.`)
      if (value === null && needed) found.push(`${label} is missing.`)
      return value
    }
    number("qty", "Quantity", true)
    const limit = number("limit_price", "Limit price", fields.type === "limit" || fields.type === "stop_limit")
    number("stop_price", "Stop price", fields.type === "stop" || fields.type === "stop_limit")
    const stop = number("stop_loss", "Stop loss", false)
    const target = number("take_profit", "Take profit", false)
    const entry = limit ?? this.last
    if (side && Number.isFinite(entry)) {
      const buy = side === "buy"
      if (stop && (buy ? stop >= entry : stop <= entry)) {
        found.push(`Stop loss ${fields.stop_loss} must be ${buy ? "below" : "above"} ${priceText(entry)} to ${side}.`)
      }
      if (target && (buy ? target <= entry : target >= entry)) {
        found.push(
          `Take profit ${fields.take_profit} must be ${buy ? "above" : "below"} ${priceText(entry)} to ${side}.`,
        )
      }
    }
    return found
  }

  /** Arm it, if nothing stands against it; returns the problems. */
  arm(nowMs) {
    const problems = this.problems("")
    if (!problems.length) this.armedUntil = nowMs + ARMED_MS[this.mode]
    return problems
  }

  disarm() {
    this.armedUntil = 0
  }

  isArmed(nowMs) {
    return nowMs < this.armedUntil
  }

  /** Send it: {body, key}, or null if it is not armed or cannot be sent. It is disarmed, and pending until `answered`. */
  send(side, nowMs, key) {
    if (!this.isArmed(nowMs) || this.problems(side).length) return null
    this.armedUntil = 0
    this.pending = { side, body: this.body(side), key }
    return this.pending
  }

  /** An answer came: taken or refused. One that is not acknowledged stays pending, to be repeated with the same key. */
  answered() {
    this.pending = null
  }

  body(side) {
    const { fields } = this
    const body = {
      sym: fields.sym,
      side,
      type: fields.type,
      qty: typed(fields.qty),
      time_in_force: fields.time_in_force,
    }
    if (fields.account) body.account = fields.account
    const prices = {
      limit_price: ["limit", "stop_limit"].includes(fields.type),
      stop_price: ["stop", "stop_limit"].includes(fields.type),
      stop_loss: true,
      take_profit: true,
    }
    for (const [name, counts] of Object.entries(prices)) {
      const value = typed(fields[name])
      if (counts && value) body[name] = value
    }
    return body
  }

  /** What a button says: "BUY 100 AAPL at market, paper". */
  sentence(side) {
    const { fields } = this
    const qty = typed(fields.qty)
    const at = {
      market: "at market",
      limit: `limit ${fields.limit_price}`,
      stop: `stop ${fields.stop_price}`,
      stop_limit: `stop ${fields.stop_price} limit ${fields.limit_price}`,
    }[fields.type]
    return `${side.toUpperCase()} ${qty ? quantityText(qty) : ""} ${fields.sym} ${at}`.replace(/\s+/g, " ")
  }
}
