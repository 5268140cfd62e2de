// The list of signals, the newest at the top; rows that are there already stay, so does what is scrolled to.
//
// data: { revision, whole | base and changes, tell, stale: bool }; whole: { rows: [[time, symbol, interval, side, signal,
// price, reason, state]] }, oldest first. Sends the trigger "told" (held.js). What comes from outside goes in as text.
//
// The rows are filtered here: by words, of which each must stand somewhere in the row, and by side.

import { Held } from "./held.js"

const LISTS = new WeakMap()
const HEADS = ["time", "symbol", "interval", "side", "signal", "price", "reason"]
const SIDES = ["all", "buy", "sell"]
const SIDE = 3, PRICE = 5, REASON = 6

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".tp-signals")
  if (!LISTS.has(root)) LISTS.set(root, new List(root))
  const list = LISTS.get(root)
  list.receive(data, (what) => setTriggerValue("told", what))
  return () => {
    if (root.isConnected) return
    list.held.close()
    LISTS.delete(root)
  }
}

class List {
  constructor(root) {
    this.root = root
    this.held = new Held()
    this.rows = new Map() // what a row says -> its element
    this.side = SIDES[0]
    const bar = add(root, "div", "tp-filter")
    this.words = add(bar, "input")
    Object.assign(this.words, { type: "search", placeholder: "filter, e.g. AAPL golden", oninput: () => this.filter() })
    this.words.setAttribute("aria-label", "Filter signals")
    this.sides = SIDES.map((side) => {
      const button = add(bar, "button")
      Object.assign(button, { type: "button", textContent: side, onclick: () => { this.side = side; this.filter() } })
      return button
    })
    this.count = add(bar, "span", "tp-count")
    const table = add(add(root, "div", "tp-rows"), "table"), head = table.createTHead().insertRow()
    for (const name of HEADS) Object.assign(add(head, "th"), { scope: "col", textContent: name })
    this.body = table.createTBody()
  }

  receive(data, tell) {
    this.root.classList.toggle("tp-stale", Boolean(data.stale))
    const value = this.held.found(data, tell)
    if (!value || data.revision === this.revision) return
    this.revision = data.revision
    const wanted = new Map()
    for (const row of value.rows) {
      const text = JSON.stringify(row)
      wanted.set(text, this.rows.get(text) ?? line(row))
    }
    for (const [text, element] of this.rows) if (!wanted.has(text)) element.remove()
    let place = this.body.firstElementChild
    for (const element of [...wanted.values()].reverse()) {
      if (place === element) place = place.nextElementSibling
      else this.body.insertBefore(element, place)
    }
    this.rows = wanted
    this.filter()
    this.root.dataset.revision = data.revision
  }

  filter() {
    const words = this.words.value.toLowerCase().split(/\s+/).filter(Boolean)
    let shown = 0
    for (const element of this.rows.values()) {
      const text = words.length ? element.textContent.toLowerCase() : ""
      const fits = (this.side === "all" || element.dataset.side === this.side) && words.every((word) => text.includes(word))
      if (element.hidden === fits) element.hidden = !fits
      shown += fits
    }
    for (const button of this.sides) button.setAttribute("aria-pressed", String(button.textContent === this.side))
    const told = shown === this.rows.size ? `${shown} signals` : `${shown} of ${this.rows.size} signals`
    if (this.count.textContent !== told) this.count.textContent = told
  }
}

function line(row) {
  const element = document.createElement("tr"), state = row[HEADS.length]
  element.dataset.side = row[SIDE]
  if (state) element.className = "tp-withdrawn"
  for (const text of row.slice(0, HEADS.length)) add(element, "td").textContent = text
  element.children[SIDE].className = row[SIDE] === "buy" ? "tp-buy" : row[SIDE] === "sell" ? "tp-sell" : ""
  element.children[PRICE].className = "tp-number"
  if (state) {
    const told = document.createElement("em")
    told.textContent = state
    element.children[REASON].prepend(told, " ")
  }
  return element
}

function add(parent, tag, className = "") {
  const element = document.createElement(tag)
  if (className) element.className = className
  parent.append(element)
  return element
}
