// Strategies: what each does, and start, stop, pause, resume.

import { el, table } from "../dom.js"
import { quantityText } from "../model/numbers.js"
import { msOf, stampText } from "../model/times.js"
import { sentenceOf } from "../service/client.js"

const SOON_MS = 200
const ALLOWED = {
  stopped: ["start"],
  running: ["pause", "stop"],
  paused: ["resume", "stop"],
  failed: ["start", "stop"],
}

export class Strategies {
  constructor(app, element) {
    this.app = app
    this.list = []
    this.body = el("div", {}, el("p", { class: "empty" }, "Loading strategies …"))
    element.append(this.body)
  }

  follow() {
    this.app.socket.subscribe("strategies", { channel: "strategies", last: 1 }, () => this.soon())
  }

  soon() {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.load(), SOON_MS)
  }

  async load() {
    try {
      const [strategies, status] = await Promise.all([
        this.app.service.get("/strategies"),
        this.app.service.get("/strategies/status"),
      ])
      const states = new Map(status.strategies.map((each) => [each.id, each]))
      this.list = strategies.strategies.map((each) => ({ ...each, ...states.get(each.id) }))
      this.draw()
    } catch (error) {
      this.body.replaceChildren(el("p", { class: "empty wrong" }, sentenceOf(error)))
    }
  }

  draw() {
    if (!this.list.length) {
      this.body.replaceChildren(
        el(
          "p",
          { class: "empty" },
          "No strategy yet. `plant strategy create` makes one; so does POST /api/v1/strategies.",
        ),
      )
      return
    }
    const columns = [
      { name: "Strategy", of: (row) => row.id },
      { name: "Class", of: (row) => row.class_name },
      { name: "Symbols", of: (row) => [row.sym].flat().join(" ") },
      { name: "Bars", of: (row) => row.interval ?? "" },
      { name: "Account", of: (row) => row.account || "first" },
      {
        name: "Money",
        of: (row) =>
          el(
            "span",
            { class: "badge", "data-kind": row.mode === "live" ? "live" : "paper" },
            row.mode === "live" ? "REAL MONEY" : "PAPER",
          ),
      },
      {
        name: "State",
        of: (row) =>
          el("span", { class: "state", "data-state": row.state ?? row.wanted }, row.state ?? row.wanted ?? "–"),
      },
      { name: "Since", of: (row) => (msOf(row.since) === null ? "–" : stampText(msOf(row.since), this.app.zone)) },
      { name: "Signals", of: (row) => quantityText(row.signals), number: true },
      { name: "", of: (row) => this.#buttons(row) },
      { name: "Last error", of: (row) => row.last_error ?? "", wide: true },
    ]
    this.body.replaceChildren(table("Strategies", columns, this.list))
  }

  #buttons(row) {
    const actions = ALLOWED[row.wanted ?? row.state] ?? ALLOWED[row.state] ?? ["start", "stop"]
    return actions.map((action) =>
      el(
        "button",
        { type: "button", class: "plain", "data-key": `${action} ${row.id}`, onclick: () => this.#tell(row, action) },
        action[0].toUpperCase() + action.slice(1),
      ),
    )
  }

  async #tell(row, action) {
    const live = row.mode === "live"
    if (
      action === "start" &&
      live &&
      !(await this.app.ask(
        "Start with real money?",
        `${row.id} trades account ${row.account || "the first"} with REAL MONEY as soon as it runs.`,
        "Start it with real money",
      ))
    )
      return
    const body = action === "start" ? { mode: row.mode ?? "paper" } : {}
    await this.app.attempt(
      () => this.app.service.change("POST", `/strategies/${encodeURIComponent(row.id)}/${action}`, body),
      `${row.id}: ${action} is written; the trader follows.`,
    )
    this.soon()
  }
}
