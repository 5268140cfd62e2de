// The watchlist: a row for each symbol, with its last price, change and sparkline; a click picks the symbol.
//
// data: { rows: [{sym, detail, last, price, change, change_text, spark: [numbers]}], selected, stale }
// Sends the trigger "pick" with the symbol. Everything from outside goes in as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg"
const LISTS = new WeakMap()

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".tp-watchlist")
  const rows = LISTS.get(root) ?? new Map()
  LISTS.set(root, rows)
  root.classList.toggle("tp-stale", Boolean(data.stale))
  const wanted = new Set(data.rows.map((row) => row.sym))
  for (const [sym, row] of rows) if (!wanted.has(sym)) { row.button.remove(); rows.delete(sym) }
  data.rows.forEach((row, place) => {
    const known = rows.get(row.sym) ?? create(row.sym)
    rows.set(row.sym, known)
    known.button.onclick = () => setTriggerValue("pick", row.sym)
    known.button.setAttribute("aria-pressed", String(row.sym === data.selected))
    update(known, row)
    if (root.children[place] !== known.button) root.insertBefore(known.button, root.children[place] ?? null)
  })
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
  return { button, detail, price, change, line, last: null }
}

function update(known, row) {
  const side = row.change > 0 ? "up" : row.change < 0 ? "down" : "flat"
  known.detail.textContent = row.detail
  known.price.textContent = row.price
  known.change.textContent = row.change_text
  known.change.className = `tp-change tp-${side}`
  if (known.last !== null && row.last !== known.last) {
    known.price.className = ""
    void known.price.offsetWidth // starts the flash again
    known.price.className = row.last > known.last ? "tp-rose" : "tp-fell"
  }
  known.last = row.last
  known.line.setAttribute("points", points(row.spark))
  known.line.setAttribute("stroke", `var(--st-${side === "down" ? "red" : side === "up" ? "green" : "gray"}-color, #8391a7)`)
}

function points(values) {
  if (values.length < 2) return ""
  const low = Math.min(...values), high = Math.max(...values)
  const y = (value) => (high === low ? 13 : 24 - ((value - low) / (high - low)) * 22)
  return values.map((value, i) => `${((i * 72) / (values.length - 1)).toFixed(1)},${y(value).toFixed(1)}`).join(" ")
}

function span(className) {
  const element = document.createElement("span")
  element.className = className
  return element
}
