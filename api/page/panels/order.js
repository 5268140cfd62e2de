// The order panel. An order is armed first, then bought or sold; paper and live look like nothing of each other.

import { el, set, tell } from "../dom.js"
import { DASH, priceText, quantityText, typed } from "../model/numbers.js"
import { ARMED_MS, Ticket } from "../model/ticket.js"
import { sentenceOf } from "../service/client.js"

const TYPES = { market: "Market", limit: "Limit", stop: "Stop", stop_limit: "Stop limit" }
const SIZE_AFTER_MS = 300

export class OrderPanel {
  constructor(app, element) {
    this.app = app
    this.element = element
    this.ticket = new Ticket()
    this.inputs = {}
    this.sizing = 0
    element.append(...this.#elements())
    this.draw()
  }

  #elements() {
    this.mode = el("div", { class: "mode", role: "status" })
    this.account = el("select", { onchange: () => this.app.accounts.choose(this.account.value) })
    this.types = el(
      "div",
      { class: "segments", role: "radiogroup", "aria-label": "Order type" },
      Object.entries(TYPES).map(([type, name]) =>
        el(
          "button",
          { type: "button", role: "radio", "data-type": type, onclick: () => this.change("type", type) },
          name,
        ),
      ),
    )
    this.types.addEventListener("keydown", (event) => this.#typeKey(event))
    const field = (name, label, more = {}) => {
      this.inputs[name] = el("input", {
        inputmode: "decimal",
        autocomplete: "off",
        spellcheck: "false",
        name,
        oninput: (event) => this.change(name, event.target.value),
        ...more,
      })
      return el("label", {}, label, this.inputs[name])
    }
    this.limit = field("limit_price", "Limit price")
    this.stop = field("stop_price", "Stop price")
    this.sized = el("p", { class: "sized hint", role: "status" })
    this.take = el(
      "button",
      { type: "button", class: "plain", hidden: true, onclick: () => this.change("qty", String(this.size.qty), true) },
      "Take this quantity",
    )
    this.tif = el(
      "select",
      { onchange: () => this.change("time_in_force", this.tif.value) },
      ["day", "gtc", "ioc", "fok"].map((each) => el("option", {}, each)),
    )
    this.arm = el("button", { type: "button", class: "arm", "aria-pressed": "false", onclick: () => this.#arm() })
    this.buy = el("button", { type: "button", class: "buy", onclick: () => this.#send("buy") })
    this.sell = el("button", { type: "button", class: "sell", onclick: () => this.#send("sell") })
    this.problems = el("ul", { class: "problems wrong", role: "status" })
    this.answer = el("div", { class: "answer", role: "status", hidden: true })
    this.sym = el("span", {})
    const form = el(
      "form",
      { onsubmit: (event) => event.preventDefault(), "aria-label": "Order" },
      el("label", {}, "Account", this.account),
      this.types,
      el("div", { class: "pair" }, field("qty", "Quantity"), el("label", {}, "Time in force", this.tif)),
      el("div", { class: "pair" }, this.limit, this.stop),
      el("div", { class: "pair" }, field("stop_loss", "Stop loss"), field("take_profit", "Take profit")),
      field("risk", "Risk, in money", { placeholder: "with the stop loss: gives the size" }),
      this.sized,
      this.take,
      this.arm,
      el("div", { class: "sides" }, this.buy, this.sell),
      this.problems,
      this.answer,
    )
    return [this.mode, el("header", {}, el("h2", {}, "Order"), this.sym), form]
  }

  /** The accounts there are, [{name, mode, broker}]. */
  accounts(list) {
    this.account.replaceChildren(
      ...list.map((each) =>
        el(
          "option",
          { value: each.name },
          `${each.name}: ${each.mode === "live" ? "REAL MONEY" : "paper"}${each.broker && each.broker !== "paper" ? `, ${each.broker}` : ""}`,
        ),
      ),
    )
    this.account.value = this.app.accounts.chosen?.name ?? ""
    this.ticket.setMode(this.app.accounts.chosen?.mode === "live" ? "live" : "paper")
    this.ticket.set("account", this.app.accounts.chosen?.name ?? "")
    this.draw()
  }

  symbol(sym) {
    if (this.ticket.fields.sym === sym) return
    for (const name of ["limit_price", "stop_price", "stop_loss", "take_profit"]) this.change(name, "", true) // of another symbol
    this.change("sym", sym)
  }

  /** Change a field; `shown` also in its input. */
  change(name, value, shown = false) {
    this.ticket.set(name, value)
    if (shown && this.inputs[name]) this.inputs[name].value = value
    if (["risk", "stop_loss", "limit_price", "type", "sym"].includes(name)) this.#size()
    this.draw()
  }

  price(last) {
    this.ticket.last = last
    this.draw()
  }

  halted(sentence) {
    this.ticket.halted = sentence
    if (sentence) this.ticket.disarm()
    this.draw()
  }

  #size() {
    clearTimeout(this.sizing)
    this.size = null
    const { sym, risk, stop_loss: stop } = this.ticket.fields
    this.take.hidden = true
    if (!typed(risk)) return tell(this.sized, "")
    if (!typed(stop))
      return tell(this.sized, "Risk needs a stop loss: the quantity is what loses it between entry and stop.")
    this.sizing = setTimeout(async () => {
      const entry = this.ticket.last
      const side = typed(stop) < entry ? "buy" : "sell"
      const asked = JSON.stringify([sym, risk, stop])
      try {
        const size = await this.app.service.change("POST", "/orders/size", {
          sym,
          side,
          risk: typed(risk),
          stop: typed(stop),
        })
        const now = this.ticket.fields
        if (asked !== JSON.stringify([now.sym, now.risk, now.stop_loss])) return
        this.size = size
        tell(
          this.sized,
          `To ${side}: ${quantityText(size.qty)} at ${priceText(size.entry, this.app.catalogue.digitsOf(sym))}, ${priceText(size.risk_per_unit, this.app.catalogue.digitsOf(sym))} at risk a unit.`,
        )
        this.take.hidden = !(size.qty > 0)
      } catch (error) {
        tell(this.sized, sentenceOf(error))
      }
    }, SIZE_AFTER_MS)
  }

  #arm() {
    const now = Date.now()
    if (this.ticket.isArmed(now)) this.ticket.disarm()
    else {
      const problems = this.ticket.arm(now)
      this.problems.replaceChildren(...problems.map((problem) => el("li", {}, problem)))
      if (problems.length) this.#point()
    }
    this.draw()
  }

  /** Put the focus into the first field that stands against it. */
  #point() {
    for (const [name, input] of Object.entries(this.inputs)) {
      const value = typed(input.value)
      const bad =
        Number.isNaN(value) ||
        (value === null &&
          this.ticket
            .problems("")
            .some((problem) =>
              problem.toLowerCase().startsWith(`${name.replace("qty", "quantity").replace("_", " ")} is missing`),
            ))
      set(input, { "aria-invalid": bad ? "true" : null })
      if (bad) return input.focus()
    }
  }

  async #send(side) {
    const problems = this.ticket.problems(side)
    this.problems.replaceChildren(...problems.map((problem) => el("li", {}, problem)))
    const sent = this.ticket.send(side, Date.now(), crypto.randomUUID())
    this.draw()
    if (sent) await this.#post(sent, this.ticket.sentence(side))
  }

  async #post(sent, sentence) {
    this.#tell("wait", `${sentence}: sent, not answered yet.`)
    try {
      const answer = await this.app.service.change("POST", "/orders", sent.body, { idempotency: sent.key })
      this.ticket.answered()
      const order = answer.order ?? answer
      const refused = ["refused", "rejected"].includes(order.state)
      this.#tell(
        refused ? "bad" : "good",
        `${sentence}: ${String(order.state ?? "taken").replaceAll("_", " ")}${order.reason ? `, ${order.reason}` : ""}.`,
      )
      this.app.tradingChanged()
    } catch (error) {
      if (error.unknown) {
        this.#tell(
          "wait",
          `${sentence}: it is not known whether it was taken. ${sentenceOf(error)}`,
          el(
            "button",
            { type: "button", class: "plain", onclick: () => this.#post(sent, sentence) },
            "Repeat the same order: it is never taken twice",
          ),
          el("button", { type: "button", class: "quiet", onclick: () => this.#drop() }, "I looked at the orders"),
        )
      } else {
        this.ticket.answered()
        this.#tell("bad", `${sentence}: not taken. ${sentenceOf(error)}`)
      }
    }
    this.draw()
  }

  #drop() {
    this.ticket.answered()
    this.answer.hidden = true
    this.app.tradingChanged()
    this.draw()
  }

  #tell(level, text, ...buttons) {
    this.answer.hidden = false
    this.answer.dataset.level = level
    this.answer.replaceChildren(el("p", {}, text), ...buttons)
  }

  #typeKey(event) {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key]
    if (!by) return
    event.preventDefault()
    const types = Object.keys(TYPES)
    this.change("type", types[(types.indexOf(this.ticket.fields.type) + by + types.length) % types.length])
    this.types.querySelector('[aria-checked="true"]').focus()
  }

  /** Once a second too: what is armed runs out. */
  draw() {
    const { ticket } = this
    const { fields } = ticket
    const live = ticket.mode === "live"
    const armed = ticket.isArmed(Date.now())
    set(this.element, { "data-mode": ticket.mode, "data-armed": String(armed) })
    const account = this.app.accounts.chosen
    this.mode.replaceChildren(
      live ? "LIVE" : "PAPER",
      el(
        "small",
        {},
        !account
          ? "no account is known yet"
          : live
            ? `real money, account ${account.name}`
            : `no real money, account ${account.name}`,
      ),
    )
    tell(
      this.sym,
      fields.sym ? `${fields.sym} ${priceText(ticket.last, this.app.catalogue.digitsOf(fields.sym))}` : DASH,
    )
    for (const button of this.types.children) {
      const on = button.dataset.type === fields.type
      set(button, { "aria-checked": String(on), tabindex: on ? "0" : "-1" })
    }
    this.limit.hidden = !["limit", "stop_limit"].includes(fields.type)
    this.stop.hidden = !["stop", "stop_limit"].includes(fields.type)
    this.limit.parentElement.hidden = this.limit.hidden && this.stop.hidden
    const left = Math.ceil((ticket.armedUntil - Date.now()) / 1000)
    set(this.arm, { "aria-pressed": String(armed), disabled: Boolean(ticket.halted) || !account })
    tell(
      this.arm,
      armed ? `Armed for ${left} s: buy or sell, or disarm` : `Arm this order (${ARMED_MS[ticket.mode] / 1000} s)`,
    )
    for (const [side, button] of [
      ["buy", this.buy],
      ["sell", this.sell],
    ]) {
      button.disabled = !armed
      const what = ticket.sentence(side).split(" ")
      button.replaceChildren(
        what[0],
        el("small", {}, what.slice(1).join(" ")),
        el("small", {}, live ? "REAL MONEY" : "paper"),
      )
    }
    if (armed) this.problems.replaceChildren()
  }
}
