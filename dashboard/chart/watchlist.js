// The watchlist: a row for each symbol, with its last price, change and sparkline; a click picks the symbol.
//
// data: { rows: [[sym, detail, price, last, side: "up" | "down" | "flat", change, spark]], selected, stale }
// spark: a letter for each point, "0" at the bottom and LEVELS - 1 letters further at the top.
// Sends the trigger "pick" with the symbol. Everything from outside goes in as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg"
const LISTS = new WeakMap()
const LEVELS = 44
const FLASH_MS = 700

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".tp-watchlist")
  const rows = LISTS.get(root) ?? new Map()
  LISTS.set(root, rows)
  root.classList.toggle("tp-stale", Boolean(data.stale))
  const wanted = new Set(data.rows.map(([sym]) => sym))
  for (const [sym, row] of rows) if (!wanted.has(sym)) { row.button.remove(); rows.delete(sym) }
  const moved = []
  data.rows.forEach((row, place) => {
    const [sym, , , last] = row, known = rows.get(sym) ?? create(sym)
    rows.set(sym, known)
    known.button.onclick = () => setTriggerValue("pick", sym)
    const pressed = String(sym === data.selected), told = JSON.stringify(row)
    if (known.button.getAttribute("aria-pressed") !== pressed) known.button.setAttribute("aria-pressed", pressed)
    if (known.told !== told) {
      if (known.told && last !== known.last) moved.push([known.price, last > known.last ? "tp-rose" : "tp-fell"])
      Object.assign(known, { told, last })
      update(known, row)
    }
    if (root.children[place] !== known.button) root.insertBefore(known.button, root.children[place] ?? null)
  })
  // On and off at once for all: colours that fade are drawn anew sixty times a second, for every row.
  for (const [price, name] of moved) price.className = name
  if (moved.length) setTimeout(() => { for (const [price] of moved) price.className = "" }, FLASH_MS)
}

function create(sym) {
  const button = document.createElement("button")
  button.type = "button"
  button.dataset.sym = sym
  button.title = sym // a long name is cut off in the list
  const name = span("tp-sym"), last = span("tp-last")
  const detail = span("tp-sub"), price = span(""), change = span("tp-change")
  const text = span("tp-name")
  text.textContent = sym
  name.append(text, detail)
  last.append(price, change)
  const spark = document.createElementNS(SVG, "svg")
  spark.setAttribute("viewBox", "0 0 72 26")
  spark.setAttribute("preserveAspectRatio", "none")
  spark.setAttribute("aria-hidden", "true")
  const line = document.createElementNS(SVG, "polyline")
  line.setAttribute("fill", "none")
  line.setAttribute("stroke-width", "1.4")
  line.setAttribute("vector-effect", "non-scaling-stroke")
  spark.append(line)
  button.append(name, spark, last)
  return { button, detail, price, change, line }
}

function update(known, [, detail, price, , side, change, spark]) {
  known.detail.textContent = detail
  known.price.textContent = price
  known.change.textContent = change
  known.change.className = `tp-change tp-${side}`
  known.line.setAttribute("points", points(spark))
  known.line.setAttribute("stroke", `var(--st-${side === "down" ? "red" : side === "up" ? "green" : "gray"}-color, #8391a7)`)
}

function points(spark) {
  const y = (letter) => 24 - ((letter.charCodeAt(0) - 48) / (LEVELS - 1)) * 22
  return [...spark].map((letter, i) => `${((i * 72) / (spark.length - 1)).toFixed(1)},${y(letter).toFixed(1)}`).join(" ")
}

function span(className) {
  const element = document.createElement("span")
  element.className = className
  return element
}
