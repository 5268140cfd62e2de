// The stage: three charts side by side, or one of zones; the tools over them.

import { Chart } from "../chart/chart.js"
import { el, replace, set, tell, wireSplitter, wireTabs } from "../dom.js"
import { groupOf, nameOf, whyFixed } from "../model/annotations.js"
import { DEFAULTS, resized } from "../model/choices.js"
import { intervalMs } from "../model/times.js"
import { Indicators } from "./indicators.js"

const TOOLS = [
  ["level", "Level", "L"],
  ["zone", "Zone", "D"],
  ["line", "Line", "T"],
  ["text", "Text", ""],
  ["marker", "Marker", ""],
]
const ZONES_SESSIONS = 10
const ZONES_BARS = 300 // of 15m: ten sessions of 26 bars, and the pre-market of the last
const USUAL = ["1m", "2m", "5m", "15m", "30m", "1h", "1d"]

export class Stage {
  constructor(app, element, tabs) {
    this.app = app
    this.element = element
    this.current = "charts"
    this.focused = 0
    this.maximised = false
    this.intervals = USUAL
    this.indicators = new Indicators(app)
    this.groups = el("details", { class: "menu" }, el("summary", {}, "Drawn"), el("div", {}))
    this.tools = TOOLS.map(([kind, name, key]) =>
      el(
        "button",
        {
          type: "button",
          class: "quiet",
          "aria-pressed": "false",
          title: `Draw a ${name.toLowerCase()}${key && ` (${key})`}`,
          "data-tool": kind,
          onclick: () => app.useTool(app.tool === kind ? null : kind),
        },
        name,
      ),
    )
    this.phone = el("div", { class: "segments phone", role: "group", "aria-label": "Chart" })
    this.chosen = el("div", { class: "chosen", hidden: true })
    this.row = el("div", { class: "charts" })
    element.append(
      el(
        "div",
        { class: "tools" },
        this.phone,
        this.indicators.element,
        this.groups,
        el("span", { class: "gap" }),
        el("span", { class: "soft words" }, "Draw"),
        ...this.tools,
      ),
      this.chosen,
      this.row,
    )
    this.charts = app.choices.intervals.map((interval, i) => new Chart(app, `chart ${i}`, interval))
    this.zones = null
    this.charts.forEach((chart, i) => this.#header(chart, i))
    this.choose = wireTabs(tabs, (tab) => this.tab(tab.id.replace("tab-", ""), false))
    this.tabs = tabs
    this.draw()
    document.addEventListener("pointerdown", (event) => {
      for (const menu of element.querySelectorAll("details[open]")) if (!menu.contains(event.target)) menu.open = false
    })
  }

  get shown() {
    return this.current === "zones" ? [this.zones] : this.charts
  }

  all() {
    return this.zones ? [...this.charts, this.zones] : this.charts
  }

  #header(chart, index) {
    const select = el("select", {
      "aria-label": `Interval of chart ${index + 1}`,
      onchange: () => this.#interval(chart, index, select.value),
    })
    const maximise = el(
      "button",
      {
        type: "button",
        "aria-label": `Maximise chart ${index + 1}, and back`,
        title: "Maximise (m)",
        onclick: () => this.maximise(index),
      },
      "⤢",
    )
    chart.select = select
    chart.header.append(select, chart.fresh, maximise)
    this.#options(chart)
  }

  #options(chart) {
    const names = [...new Set([...this.intervals, chart.interval])].sort((a, b) => intervalMs(a) - intervalMs(b))
    chart.select.replaceChildren(
      ...names.map((name) => el("option", { value: name, selected: name === chart.interval }, name)),
    )
    chart.select.value = chart.interval
  }

  /** The intervals that can be had for the symbol. */
  offer(intervals) {
    if (intervals.length) this.intervals = intervals
    for (const chart of this.charts) this.#options(chart)
  }

  #interval(chart, index, interval) {
    chart.show(this.app.sym, interval)
    this.app.chooseInterval(index, interval)
    this.draw()
  }

  symbol(sym) {
    for (const chart of this.charts) chart.show(sym)
    this.zones?.show(sym)
  }

  /** Show the charts, or the zones. */
  tab(name, pick = true) {
    if (pick) return this.choose(this.tabs.find((tab) => tab.id === `tab-${name}`))
    this.current = name
    this.app.choices.tab = name
    this.app.keep()
    if (name === "zones" && !this.zones) {
      this.zones = new Chart(this.app, "zones", "15m", { days: true, last: ZONES_BARS })
      this.zones.header.append(
        el("span", { class: "chart-name" }, `15m, the last ${ZONES_SESSIONS} sessions`),
        this.zones.fresh,
      )
      this.zones.show(this.app.sym)
    }
    this.draw()
  }

  draw() {
    const { widths } = this.app.choices
    const zones = this.current === "zones"
    const parts = zones ? [this.zones.element] : []
    if (!zones) {
      for (const [i, chart] of this.charts.entries()) {
        if (i) parts.push((this.splitters ??= this.charts.map((_, n) => this.#splitter(n)))[i - 1])
        parts.push(chart.element)
        set(chart.element, { style: { "flex-grow": String(widths[i]) } })
        chart.element.classList.toggle("maximised", this.maximised && i === this.focused)
        chart.element.classList.toggle("focused", i === this.focused)
      }
    } else this.zones.element.classList.add("focused")
    this.row.classList.toggle("one", !zones && this.maximised)
    const there = [...this.row.children]
    if (there.length !== parts.length || there.some((each, i) => each !== parts[i])) replace(this.row, ...parts)
    this.phone.hidden = zones
    this.phone.replaceChildren(
      ...this.charts.map((chart, i) =>
        el(
          "button",
          { type: "button", "aria-pressed": String(i === this.focused), onclick: () => this.focus(i) },
          chart.interval,
        ),
      ),
    )
    set(this.element, { "aria-labelledby": `tab-${this.current}` })
  }

  #splitter(index) {
    const splitter = el("div", {
      class: "splitter along",
      role: "separator",
      "aria-orientation": "vertical",
      "aria-label": `Border between chart ${index + 1} and ${index + 2}`,
      tabindex: "0",
      ondblclick: () => this.#resize(DEFAULTS.widths),
    })
    wireSplitter(splitter, "clientX", (pixels) =>
      this.#resize(resized(this.app.choices.widths, index, pixels / this.row.clientWidth)),
    )
    return splitter
  }

  #resize(widths) {
    this.app.choices.widths = widths
    this.app.keep()
    this.draw()
  }

  focus(index) {
    if (this.current !== "charts") this.tab("charts")
    this.focused = index
    this.draw()
    this.charts[index].canvas.focus({ preventScroll: true })
  }

  focusOn(chart) {
    const index = this.charts.indexOf(chart)
    if (index < 0 || index === this.focused) return
    this.focused = index
    this.draw()
  }

  maximise(index = this.focused) {
    if (this.current !== "charts") return
    this.maximised = !this.maximised
    this.focused = index
    this.draw()
  }

  tool(kind) {
    for (const button of this.tools) set(button, { "aria-pressed": String(button.dataset.tool === kind) })
    for (const chart of this.all()) chart.element.classList.toggle("drawing", Boolean(kind))
  }

  /** The chosen object: its label, why it cannot be moved, copy and delete. */
  choice(object) {
    this.chosen.hidden = !object
    if (!object) return this.chosen.replaceChildren()
    const why = whyFixed(object)
    const told = el("span", { class: "why", role: "status" }, why || `Drawn: ${object.kind}.`)
    const label =
      !why &&
      el("input", {
        value: object.text ?? "",
        placeholder: "Label",
        "aria-label": "Label",
        "data-key": "label",
        onchange: (event) => this.app.annotations.label(object, event.target.value),
      })
    replace(
      this.chosen,
      el("b", {}, nameOf(object)),
      told,
      label,
      el(
        "button",
        { type: "button", class: "plain", "data-key": "copy", onclick: () => this.app.annotations.copy(object) },
        "Copy",
      ),
      el(
        "button",
        { type: "button", class: "plain", "data-key": "delete", onclick: () => this.app.annotations.remove(object) },
        "Delete",
      ),
      el(
        "button",
        { type: "button", class: "quiet", "data-key": "nothing", onclick: () => this.app.choose(null) },
        "Done",
      ),
    )
  }

  /** Which kinds of annotations there are, each to be switched. */
  drawn(objects) {
    const groups = [...new Set(["drawn", ...[...objects].map(groupOf)])].sort()
    const told = groups.join()
    if (told !== this.groupsTold) {
      this.groupsTold = told
      const box = (group) =>
        el(
          "label",
          {},
          el("input", {
            type: "checkbox",
            checked: !this.app.hidden.has(group),
            onchange: () => this.app.toggleGroup(group),
          }),
          el("span", {}, group === "drawn" ? "drawn by people and strategies" : group),
        )
      this.groups.lastElementChild.replaceChildren(...groups.map(box))
    }
    tell(this.groups.firstElementChild, `Drawn (${objects.length})`)
    for (const chart of this.all()) chart.redraw()
  }

  beat(nowMs) {
    for (const chart of this.shown) chart.beat(nowMs)
  }
}
