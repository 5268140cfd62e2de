// The menu of indicators: the plant's catalogue, with parameters; what is chosen is on all charts.

import { el, replace } from "../dom.js"
import { defaultsOf, faultOf, labelOf, parsed, written } from "../model/overlay.js"
import { typed } from "../model/numbers.js"

const SHOWN = 40

export class Indicators {
  constructor(app) {
    this.app = app
    this.find = el("input", {
      type: "search",
      placeholder: "Find an indicator",
      "aria-label": "Find an indicator",
      oninput: () => this.draw(),
    })
    this.list = el("div", {})
    this.summary = el("summary", {}, "Indicators")
    this.element = el("details", { class: "menu" }, this.summary, el("div", {}, this.find, this.list))
    this.element.addEventListener("keydown", (event) => event.key === "Escape" && this.#close(event))
    this.draw()
  }

  open() {
    this.element.open = true
    this.find.focus()
  }

  #close(event) {
    if (!this.element.open) return
    event.stopPropagation()
    this.element.open = false
    this.summary.focus()
  }

  draw() {
    const { overlays } = this.app.choices
    const wanted = this.find.value.trim().toLowerCase()
    const entries = [...this.app.catalogue.indicators.values()]
    const found = entries.filter(
      (entry) => !wanted || `${entry.name} ${entry.description}`.toLowerCase().includes(wanted),
    )
    const chosen = overlays.map((text) =>
      this.#box(
        text,
        this.app.catalogue.indicators.get(parsed(text).name)?.description ?? "not in the catalogue of this plant",
        true,
      ),
    )
    const rest = found.slice(0, SHOWN).map((entry) => this.#entry(entry))
    replace(
      this.list,
      chosen.length && el("h3", {}, "On the charts"),
      ...chosen,
      el("h3", {}, found.length > SHOWN ? `Catalogue: ${SHOWN} of ${found.length}` : "Catalogue"),
      ...rest,
      !entries.length && el("p", { class: "hint" }, "The catalogue is not known yet."),
    )
  }

  #box(text, description, on) {
    return el(
      "label",
      {},
      el("input", {
        type: "checkbox",
        checked: on,
        "data-key": `overlay ${text}`,
        onchange: () => this.app.toggleOverlay(text),
      }),
      el("span", {}, labelOf(text), el("small", {}, description)),
    )
  }

  #entry(entry) {
    const defaults = defaultsOf(entry)
    const inputs = Object.entries(defaults)
      .filter(([, value]) => typeof value === "number")
      .map(([name, value]) => [
        name,
        el("input", {
          inputmode: "decimal",
          value: String(value),
          "aria-label": `${entry.name}: ${name}`,
          title: name,
          style: { width: "64px", height: "24px" },
        }),
      ])
    const wrong = el("small", { class: "wrong", role: "alert" })
    const add = () => {
      const parameters = { ...defaults }
      for (const [name, input] of inputs) parameters[name] = typed(input.value) ?? Number(input.value)
      const fault = inputs.map(([name]) => faultOf(name, parameters[name], entry.parameters[name])).find(Boolean)
      wrong.textContent = fault ?? ""
      if (!fault) this.app.addOverlay(written(entry.name, parameters))
    }
    return el(
      "div",
      { class: "row" },
      el(
        "span",
        { style: { flex: "1" } },
        entry.name.replaceAll("_", " "),
        el("small", { class: "soft" }, ` ${entry.description}`),
        wrong,
      ),
      inputs.map(([, input]) => input),
      el(
        "button",
        {
          type: "button",
          class: "plain",
          "aria-label": `Add ${entry.name}`,
          "data-key": `add ${entry.name}`,
          onclick: add,
        },
        "+",
      ),
    )
  }
}
