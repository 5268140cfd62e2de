// Elements without markup in strings: nothing that the service sends is ever read as HTML.

/** An element: `el("button", {class: "plain", onclick: f, "aria-label": "..."}, "text", child, ...)`. */
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag)
  set(element, props)
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false))
  return element
}

/** Set properties: functions as listeners, `style` as an object by CSSOM, false and null take an attribute away. */
export function set(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on") && typeof value === "function") element.addEventListener(name.slice(2), value)
    else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each)
    else if (name === "value" || name === "checked" || name === "disabled" || name === "hidden") element[name] = value
    else if (value === false || value === null || value === undefined) element.removeAttribute(name)
    else element.setAttribute(name, value === true ? "" : value)
  }
  return element
}

/** Put text into an element if it is another one; so screen readers and selections are left in peace. */
export function tell(element, text) {
  if (element.textContent !== text) element.textContent = text
}

/** Replace the children, but leave the focus where it was if what had it is still there (by its `data-key`). */
export function replace(element, ...children) {
  const active = document.activeElement
  const key = element.contains(active) ? active.dataset.key : undefined
  element.replaceChildren(...children.flat().filter(Boolean))
  if (key) element.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true })
}

export const byId = (id) => document.getElementById(id)

/** The badge of a notice {kind, word, detail}. */
export function badge({ kind, word, detail }) {
  return el("span", { class: "badge", "data-kind": kind, title: detail }, word)
}

/** A table: columns [{name, of(row) -> node or text, number, wide}], rows with a key each. */
export function table(label, columns, rows, { classOf = () => "", caption = "" } = {}) {
  const head = el(
    "tr",
    {},
    columns.map((column) => el("th", { scope: "col", class: column.number ? "number" : null }, column.name)),
  )
  const body = rows.map((row) =>
    el(
      "tr",
      { class: classOf(row) || null },
      columns.map((column) => {
        const made = column.of(row)
        return el(
          "td",
          {
            class:
              [column.number && "number", column.wide && "wide", column.classOf?.(row)].filter(Boolean).join(" ") ||
              null,
          },
          made,
        )
      }),
    ),
  )
  return el(
    "table",
    { "aria-label": label },
    caption ? el("caption", {}, caption) : null,
    el("thead", {}, head),
    el("tbody", {}, body),
  )
}

/** A row of tabs: the arrow keys move among them, as readers of the pattern expect. */
export function wireTabs(tabs, chosen) {
  const choose = (tab, focus) => {
    for (const each of tabs) {
      each.setAttribute("aria-selected", String(each === tab))
      each.tabIndex = each === tab ? 0 : -1
    }
    if (focus) tab.focus()
    chosen(tab)
  }
  for (const [index, tab] of tabs.entries()) {
    tab.addEventListener("click", () => choose(tab, false))
    tab.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
      if (!by) return
      event.preventDefault()
      choose(tabs[(index + by + tabs.length) % tabs.length], true)
    })
  }
  return (tab) => choose(tab, false)
}

/** A border that is moved by pointer or arrow keys; `moved(pixels)` is told how far. */
export function wireSplitter(element, axis, moved) {
  element.addEventListener("pointerdown", (down) => {
    element.setPointerCapture(down.pointerId)
    element.classList.add("held")
    let at = down[axis]
    const move = (event) => {
      moved(event[axis] - at)
      at = event[axis]
    }
    element.addEventListener("pointermove", move)
    const end = () => {
      element.removeEventListener("pointermove", move)
      element.classList.remove("held")
    }
    element.addEventListener("pointerup", end, { once: true })
    element.addEventListener("pointercancel", end, { once: true })
  })
  element.addEventListener("keydown", (event) => {
    const by = { clientX: { ArrowLeft: -16, ArrowRight: 16 }, clientY: { ArrowUp: -16, ArrowDown: 16 } }[axis][
      event.key
    ]
    if (!by) return
    event.preventDefault()
    moved(by)
  })
}
