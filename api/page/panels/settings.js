// Settings: the key, the time zone, shortcuts; and how the connection, the plant and its processes are.

import { el, replace, table } from "../dom.js"
import { ageText, isZone } from "../model/times.js"
import { connectionText } from "../model/stream.js"
import { sentenceOf } from "../service/client.js"

const LOOK_MS = 5000

export class Settings {
  constructor(app, dialog) {
    this.app = app
    this.dialog = dialog
    this.status = null
    this.key = el("input", {
      type: "password",
      autocomplete: "off",
      spellcheck: "false",
      id: "key",
      placeholder: "tp_…",
    })
    this.zone = el("input", {
      id: "zone",
      spellcheck: "false",
      autocomplete: "off",
      placeholder: "the exchange's",
      value: app.choices.zone,
      list: "zones",
    })
    this.zoneWrong = el("p", { class: "wrong", role: "alert", hidden: true })
    this.shortcuts = el("input", {
      type: "checkbox",
      id: "single-keys",
      checked: app.choices.shortcuts,
      onchange: () => app.chooseShortcuts(this.shortcuts.checked),
    })
    this.who = el("p", { class: "hint" })
    this.facts = el("dl", { class: "facts" })
    this.processes = el("div", {})
    dialog.append(
      el(
        "header",
        {},
        el("h2", { id: "settings-title" }, "Settings"),
        el(
          "button",
          { type: "button", class: "quiet", "aria-label": "Close settings", onclick: () => dialog.close() },
          "×",
        ),
      ),
      el(
        "div",
        { class: "content" },
        el(
          "form",
          { onsubmit: (event) => this.#useKey(event) },
          el("h3", {}, "Key"),
          el(
            "div",
            { class: "row" },
            el("label", { for: "key", class: "visually-hidden" }, "Key"),
            this.key,
            el("button", { class: "plain" }, "Use it"),
            el("button", { type: "button", class: "quiet", onclick: () => this.#useKey(null) }, "Forget it"),
          ),
          el(
            "p",
            { class: "hint" },
            "`plant key create NAME --role trade` gives one. It is kept in this tab until it is closed, and sent in a header, never in an address.",
          ),
          this.who,
        ),
        el(
          "form",
          { onsubmit: (event) => this.#useZone(event) },
          el("h3", {}, "Time zone"),
          el(
            "div",
            { class: "row" },
            el("label", { for: "zone", class: "visually-hidden" }, "Time zone"),
            this.zone,
            el("button", { class: "plain" }, "Use it"),
          ),
          this.zoneWrong,
          el(
            "datalist",
            { id: "zones" },
            ["America/New_York", "UTC", Intl.DateTimeFormat().resolvedOptions().timeZone].map((zone) =>
              el("option", { value: zone }),
            ),
          ),
        ),
        el("div", { class: "row" }, this.shortcuts, el("label", { for: "single-keys" }, "Shortcuts of a single key")),
        el("section", {}, el("h3", {}, "Connection"), this.facts),
        el("section", {}, el("h3", {}, "Processes"), this.processes),
      ),
    )
    setInterval(() => dialog.open && this.load(), LOOK_MS)
  }

  open() {
    this.beat(Date.now())
    this.load()
    if (!this.dialog.open) this.dialog.showModal()
  }

  #useKey(event) {
    event?.preventDefault()
    this.app.useKey(event ? this.key.value.trim() : "")
    this.key.value = ""
    this.beat(Date.now())
  }

  #useZone(event) {
    event.preventDefault()
    const zone = this.zone.value.trim()
    const wrong = zone && !isZone(zone)
    this.zoneWrong.hidden = !wrong
    this.zoneWrong.textContent = wrong
      ? `“${zone}” is no time zone; expected one like America/New_York, or nothing for the exchange's.`
      : ""
    if (!wrong) this.app.chooseZone(zone)
  }

  async load() {
    try {
      this.status = await this.app.service.get("/status")
      this.error = ""
    } catch (error) {
      this.error = sentenceOf(error)
    }
    this.drawProcesses()
  }

  drawProcesses() {
    if (this.error) return this.processes.replaceChildren(el("p", { class: "wrong" }, this.error))
    const rows = Object.values(this.status?.processes ?? {}).map((row, i) => ({
      name: row.name ?? Object.keys(this.status.processes)[i],
      ...row,
    }))
    const columns = [
      { name: "Process", of: (row) => row.name ?? row.process },
      { name: "State", of: (row) => String(row.health ?? row.state ?? "–") },
      { name: "Detail", of: (row) => row.detail ?? row.text ?? "", wide: true },
    ]
    const dependencies = (this.status?.dependencies ?? []).map((each) => ({
      name: each.name,
      state: each.available ? "available" : "not available",
      detail: each.detail,
    }))
    this.processes.replaceChildren(
      rows.length + dependencies.length
        ? table("Processes", columns, [...rows, ...dependencies])
        : el("p", { class: "empty" }, "The service tells of none."),
    )
  }

  /** Once a second while it is open: the connection in words. */
  beat(nowMs) {
    const { stream } = this.app.socket
    const { service } = this.app
    this.who.textContent = service.key
      ? `A key is in use${stream.role ? `, role ${stream.role}` : ""}.`
      : `No key is in use${stream.role ? `; without one the role is ${stream.role}` : ""}.`
    const lagging = [...stream.subscriptions.values()].filter((each) => each.lagged).map((each) => each.key)
    const refused = [...stream.subscriptions.values()]
      .filter((each) => each.error)
      .map((each) => `${each.key}: ${each.error.detail}`)
    const facts = {
      Stream: connectionText(stream, nowMs).text,
      Plant: stream.plant || "–",
      Epoch: stream.epoch || "–",
      "Complete up to": stream.seq ? stream.seq.toLocaleString("en-US") : "–",
      "Synced to disk": stream.synced ? stream.synced.toLocaleString("en-US") : "–",
      "Last word": stream.heardAt ? `${ageText(nowMs - stream.heardAt)} ago` : "–",
      Subscriptions: String(stream.subscriptions.size),
      ...(lagging.length ? { "Catching up": lagging.join(", ") } : {}),
      ...(refused.length ? { Refused: refused.join("; ") } : {}),
    }
    replace(
      this.facts,
      Object.entries(facts).flatMap(([name, text]) => [el("dt", {}, name), el("dd", {}, text)]),
    )
  }
}
