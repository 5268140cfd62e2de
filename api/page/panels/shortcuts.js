// Shortcuts: what each key does, the list of them, and the keys themselves. No key sends an order.

import { el } from "../dom.js"

const TYPED = "input:not([type=checkbox]), select, textarea, [contenteditable]"

/** [keys, what it does, action(app)]; without an action it is told only: the chart that has the focus takes it. */
export const SHORTCUTS = [
  ["/", "find a symbol", (app) => app.watchlist.found.focus()],
  ["j", "next symbol", (app) => app.watchlist.step(1)],
  ["k", "symbol before", (app) => app.watchlist.step(-1)],
  ["c", "charts", (app) => app.stage.tab("charts")],
  ["z", "zones", (app) => app.stage.tab("zones")],
  ["1", "first chart", (app) => app.stage.focus(0)],
  ["2", "second chart", (app) => app.stage.focus(1)],
  ["3", "third chart", (app) => app.stage.focus(2)],
  ["m", "maximise the chart, and back", (app) => app.stage.maximise()],
  ["i", "indicators", (app) => app.stage.indicators.open()],
  ["l", "draw a level", (app) => app.useTool("level")],
  ["d", "draw a zone", (app) => app.useTool("zone")],
  ["t", "draw a line", (app) => app.useTool("line")],
  ["o", "order", (app) => app.order.inputs.qty.focus()],
  ["b", "positions and orders", (app) => app.lower.open("position")],
  ["s", "signals", (app) => app.lower.open("signals")],
  [",", "settings", (app) => app.settings.open()],
  ["?", "this list", (app) => app.shortcuts.open()],
  ["Esc", "stop drawing, disarm the order, choose nothing", null],
]

const ON_CHART = [
  ["← →", "scroll by ten bars, with Shift by a hundred"],
  ["+ −", "zoom"],
  ["End", "go to the newest bar"],
  ["[ ]", "choose what is drawn"],
  ["↑ ↓", "move what is chosen by a tick, with Shift by ten"],
  ["Delete", "delete what is chosen"],
  ["Enter", "with a tool: draw at the newest bar"],
]

export class Shortcuts {
  constructor(app, dialog) {
    this.app = app
    this.dialog = dialog
    const list = (some) =>
      el(
        "dl",
        { class: "facts" },
        some.flatMap(([key, what]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)]),
      )
    dialog.append(
      el(
        "header",
        {},
        el("h2", { id: "shortcuts-title" }, "Keyboard shortcuts"),
        el(
          "button",
          { type: "button", class: "quiet", "aria-label": "Close the list", onclick: () => dialog.close() },
          "×",
        ),
      ),
      el(
        "div",
        { class: "content" },
        el("h3", {}, "Everywhere"),
        list(SHORTCUTS),
        el("h3", {}, "On a chart that has the focus"),
        list(ON_CHART),
        el(
          "p",
          { class: "hint" },
          "Tab goes through everything. No key sends an order: it is armed, then bought or sold, by its own buttons. Shortcuts of a single key can be switched off in the settings.",
        ),
      ),
    )
    document.addEventListener("keydown", (event) => this.#key(event))
  }

  open() {
    if (!this.dialog.open) this.dialog.showModal()
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return
    if (event.key === "Escape") return this.app.escape()
    if (!this.app.choices.shortcuts || event.target.matches?.(TYPED)) return
    const action = SHORTCUTS.find(([key]) => key === event.key)?.[2]
    if (!action) return
    event.preventDefault()
    action(this.app)
  }
}
