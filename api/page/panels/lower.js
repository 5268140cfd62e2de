// The lower panel: positions and orders, signals, strategies, runs, one at a time.

import { byId, el, wireTabs } from "../dom.js"

const PANES = { position: "Positions", signals: "Signals", strategies: "Strategies", runs: "Runs" }

export class Lower {
  constructor(app, element) {
    this.tabs = Object.entries(PANES).map(([name, label]) =>
      el("button", { type: "button", role: "tab", id: `pane-${name}`, "aria-controls": `body-${name}` }, label),
    )
    this.bodies = Object.fromEntries(
      Object.keys(PANES).map((name) => [
        name,
        el("div", {
          class: "pane",
          role: "tabpanel",
          id: `body-${name}`,
          "aria-labelledby": `pane-${name}`,
          tabindex: "0",
        }),
      ]),
    )
    element.append(
      el("div", { class: "tabs", role: "tablist", "aria-label": "Lower panels" }, this.tabs),
      ...Object.values(this.bodies),
    )
    this.choose = wireTabs(this.tabs, (tab) => {
      app.choices.pane = tab.id.replace("pane-", "")
      app.keep()
      for (const [name, body] of Object.entries(this.bodies)) body.hidden = name !== app.choices.pane
    })
    this.choose(byId(`pane-${app.choices.pane}`) ?? this.tabs[0])
  }

  /** Show a pane, and give its tab the focus. */
  open(name) {
    const tab = byId(`pane-${name}`)
    this.choose(tab)
    tab.focus()
  }
}
