// Accounts: which there are, which one is chosen, and whether trading is halted.

import { byId, set, tell } from "../dom.js"
import { sentenceOf } from "../service/client.js"

const HALTED_MS = 3000 // while trading is halted, it is asked so often whether it still is
const HALTED = "Trading is halted: no order is taken until an admin resumes it."

export class Accounts {
  constructor(app) {
    this.app = app
    this.list = []
    this.chosen = null
    this.halted = false
    byId("halt").addEventListener("click", () => this.halt())
  }

  get isLive() {
    return this.chosen?.mode === "live"
  }

  async load() {
    try {
      const answer = await this.app.service.get("/account")
      this.list = answer.accounts.map((each) => ({ ...each, name: each.account }))
      const wanted = this.chosen?.name ?? this.app.choices.account
      this.chosen = this.list.find((each) => each.name === wanted) ?? this.list[0] ?? null
      this.app.order.accounts(this.list)
    } catch (error) {
      this.app.toastOnce("account", "bad", `The accounts did not come. ${sentenceOf(error)}`)
    }
    await this.#risk()
  }

  choose(name) {
    this.chosen = this.list.find((each) => each.name === name) ?? null
    this.app.choices.account = name
    this.app.keep()
    this.app.order.accounts(this.list)
    this.app.positions.load()
    this.#risk()
  }

  async #risk() {
    try {
      const risk = await this.app.service.get("/risk")
      this.#show(isHalted(risk, this.chosen))
    } catch {
      if (this.halted) this.#show(true) // looked at again; the button works all the same
    }
  }

  #show(halted) {
    this.halted = halted
    this.app.order.halted(halted ? HALTED : "")
    set(byId("halt"), { "data-halted": String(halted) })
    tell(byId("halt"), halted ? "Halted" : "Halt")
    clearTimeout(this.again)
    if (halted) this.again = setTimeout(() => this.#risk(), HALTED_MS) // an admin may resume it from elsewhere
  }

  /** The kill switch. */
  async halt() {
    const { app } = this
    if (this.halted)
      return app.toast(
        "note",
        "Trading is halted. An admin resumes it: `plant resume`, or POST /api/v1/risk/resume with an admin key.",
      )
    const sure = await app.ask(
      "Halt all trading?",
      "Open orders of all accounts are cancelled and new ones refused until an admin resumes. Positions are kept.",
      "Halt now",
    )
    if (!sure) return
    if (
      await app.attempt(
        () => app.service.change("POST", "/risk/halt", {}),
        "Halted: open orders are cancelled, new ones refused.",
      )
    )
      this.#show(true)
    app.tradingChanged()
  }
}

/** Whether the answer of `risk` says that an account is halted. */
function isHalted(risk, account) {
  return risk.accounts.some((each) => each.account === account?.name && each.halted)
}
