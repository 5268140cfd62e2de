// Drawing on the chart: its tool bar, what the pointer does to marks (marks.js), and what of it is told to the page's Python.
//
// Sends the trigger "drawn", one at a time: { token, op: "create", fields } | { token, op: "update", id, version, fields } |
// { token, op: "copy", id } | { token, op: "delete", id, version }; fields: kind, and of start_at, end_at (UTC ms), price,
// price_end, top, bottom, text those that it has. Until the answer { token, id, version, error } has come, and with it the mark
// itself, what was done is shown as if it were there.

import { at, moved, outline, pointed, shade, stepOf, timeOf, within } from "./marks.js"

const REACH_PX = { mouse: 5, pen: 8, touch: 14 }
const MOVE_PX = 4 // a pointer that moved less has clicked
const ANSWER_MS = 30_000, SAID_MS = 9_000
const NAMES = {
  level: ["price"], zone: ["top", "bottom"], line: ["price", "price_end"], text: ["price"], marker: ["price"],
}
const TOOLS = {
  level: ["Level: click at a price", "M2 8h12"],
  zone: ["Zone: drag from corner to corner", "M2.5 4.5h11v7h-11z"],
  line: ["Line: drag from end to end", "M3 13 13 3"],
  text: ["Text: click where it stands", "M3.5 4V3h9v1M8 3v10M6 13h4"],
}
const ACTS = {
  copy: ["Copy the one that is chosen", "M5.5 5.5h8v8h-8zM3 10.5h-.5v-8h8V3"],
  delete: ["Delete the one that is chosen", "M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5l.5 9h6l.5-9M7 7v4M9 7v4"],
}

export class Drawing {
  // view: { root, graph, head: element, scene(): as in marks.js or null, paint(), accent: css colour }
  constructor(view) {
    this.view = view
    this.marks = new Map() // as the plant has them
    this.pending = new Map() // token -> { id, mark or null, op, version }
    this.queue = []
    this.tool = this.chosen = this.draft = this.grab = null
    this.bar = element(view.head, "div", "tp-tools")
    this.bar.setAttribute("role", "toolbar")
    this.bar.setAttribute("aria-label", "Drawing")
    this.buttons = {}
    for (const [name, [title, path]] of Object.entries({ ...TOOLS, ...ACTS })) this.buttons[name] = this.button(name, title, path)
    this.said = element(view.root, "div", "tp-said")
    this.said.setAttribute("role", "status")
    this.said.hidden = true
    const on = (target, name, does, options) => {
      target.addEventListener(name, does, options)
      this.undo.push(() => target.removeEventListener(name, does, options))
    }
    this.undo = []
    // Ahead of Plotly, which pans and zooms by what is not taken here.
    const first = { capture: true, passive: false }
    on(view.graph, "pointerdown", (event) => this.down(event), first)
    for (const name of ["mousedown", "touchstart"]) {
      on(view.graph, name, (event) => {
        if (!this.taken) return
        event.stopImmediatePropagation()
        if (event.cancelable) event.preventDefault()
      }, first)
    }
    on(view.graph, "pointermove", (event) => this.hover(event))
    on(view.graph, "dblclick", (event) => this.twice(event), first)
    on(window, "pointermove", (event) => this.move(event))
    on(window, "pointerup", (event) => this.up(event))
    on(window, "pointercancel", () => this.drop())
    on(window, "keydown", (event) => this.key(event))
    this.show()
  }

  close() {
    for (const undone of this.undo) undone()
    clearTimeout(this.quiet)
    clearTimeout(this.waiting)
  }

  // Takes the marks of the chart by id, what became of what was told, and how to tell; `can`: may draw.
  take({ marks, answers, can, tell }) {
    this.marks = new Map(Object.entries(marks))
    this.can = can
    this.tell = tell
    for (const answer of answers ?? []) this.answered(answer)
    for (const [token, { id, op, version }] of this.pending) {
      if (version === undefined || id === undefined) continue
      const there = this.marks.get(id)
      if (op === "delete" ? !there : there && there.version >= version) this.pending.delete(token)
    }
    if (this.chosen && !this.all().has(this.chosen)) this.choose(null)
    this.bar.hidden = !can
    this.show()
  }

  // The marks as they are shown, by id; one that is not the plant's yet by its token.
  all() {
    const found = new Map(this.marks)
    for (const [token, { id, mark }] of this.pending) {
      if (mark) found.set(id ?? token, mark)
      else if (id) found.delete(id)
    }
    if (this.grab?.mark) found.set(this.grab.id, this.grab.mark)
    return found
  }

  under(brush, scene) {
    shade(brush, this.drawn().values(), scene)
  }

  over(brush, scene) {
    const all = this.drawn()
    outline(brush, all, scene, all.get(this.chosen))
  }

  drawn() {
    const all = this.all()
    if (this.draft) all.set("draft", this.draft)
    return all
  }

  // --- the pointer ---

  point(event) {
    const box = this.view.graph.getBoundingClientRect()
    return { x: event.clientX - box.left, y: event.clientY - box.top }
  }

  down(event) {
    this.taken = false
    const scene = this.view.scene(), point = this.point(event)
    if (!this.can || !scene || event.button || !within(scene, point) || !event.target.closest?.(".draglayer")) return
    const here = pointed(scene, point)
    if (this.tool) {
      this.taken = true
      if (this.tool === "text") return this.write({ x: point.x, y: point.y }, "", (text) => this.make("text", here, here, text))
      if (!this.start) this.start = { here, point }
      this.stretch(here)
      return
    }
    const found = at(point, this.all(), scene, this.chosen, REACH_PX[event.pointerType] ?? REACH_PX.mouse)
    this.taken = Boolean(found?.grip)
    this.pressed = { found, point, here }
  }

  hover(event) {
    const scene = this.view.scene(), point = this.point(event)
    if (!this.can || !scene || this.grab) return
    const inside = within(scene, point)
    if (this.tool) {
      if (this.tool === "level" && inside) this.stretch(pointed(scene, point))
      return
    }
    const found = inside && !event.buttons ? at(point, this.all(), scene, this.chosen, REACH_PX[event.pointerType] ?? REACH_PX.mouse) : null
    this.view.root.classList.toggle("tp-over", Boolean(found?.grip))
    const mark = found && this.all().get(found.id)
    this.view.graph.title = mark?.told ?? ""
  }

  move(event) {
    const scene = this.view.scene()
    if (!scene) return
    if (this.tool) {
      if (this.start) this.stretch(pointed(scene, this.point(event)))
      return
    }
    const { found, point, here } = this.pressed ?? {}, now = this.point(event)
    if (!found?.grip || (!this.grab && Math.hypot(now.x - point.x, now.y - point.y) < MOVE_PX)) return
    const mark = this.all().get(found.id)
    if (!mark || found.fixed) return
    if (mark.auto || !this.marks.has(found.id)) {
      found.fixed = true
      this.choose(found.id)
      this.say(mark.auto ? `${mark.told}. It cannot be moved: copy it, and move the copy; or delete it.` : "It is being written: a moment.")
      return
    }
    if (!this.grab) {
      this.choose(found.id)
      this.grab = { id: found.id, before: mark }
    }
    this.grab.mark = moved(this.grab.before, found.grip, here, pointed(scene, now), scene)
    this.view.paint()
  }

  up(event) {
    const scene = this.view.scene(), now = this.point(event)
    if (this.tool && this.start && scene) {
      const here = pointed(scene, now), { here: first, point } = this.start
      const far = Math.hypot(now.x - point.x, now.y - point.y) >= MOVE_PX
      if (this.tool !== "level" && !far && !this.start.again) { // the other end comes with the next click
        this.start.again = true
        return
      }
      return this.make(this.tool, first, here)
    }
    const { pressed, grab } = this
    this.pressed = this.grab = null
    if (grab?.mark) return this.changed(grab.id, grab.before, grab.mark)
    if (!pressed || Math.hypot(now.x - pressed.point.x, now.y - pressed.point.y) >= MOVE_PX) return
    this.choose(pressed.found?.id ?? null)
  }

  drop() {
    this.pressed = this.grab = null
    this.view.paint()
  }

  // A second click: writes the label of one's own mark.
  twice(event) {
    const scene = this.view.scene(), point = this.point(event)
    if (!this.can || !scene || this.tool || !within(scene, point)) return
    const found = at(point, this.all(), scene, this.chosen, REACH_PX.mouse)
    const mark = found && this.marks.get(found.id)
    if (!mark || mark.auto) return
    event.stopImmediatePropagation()
    this.write(point, mark.label, (label) => label !== mark.label && this.changed(found.id, mark, { ...mark, label }))
  }

  key(event) {
    if (!this.can || event.target.closest?.("input, textarea, [contenteditable]") || event.ctrlKey || event.metaKey) return
    if (event.key === "Escape") {
      if (this.tool) this.pick(null)
      else this.choose(null)
    }
    if ((event.key === "Delete" || event.key === "Backspace") && this.chosen) this.act("delete")
  }

  // --- what is drawn ---

  pick(tool) {
    this.tool = this.tool === tool ? null : tool
    this.start = this.draft = null
    if (this.tool) this.chosen = null
    this.show()
  }

  stretch(here) {
    const first = this.start?.here ?? here, scene = this.view.scene()
    this.draft = this.shape(this.tool, first, here, scene)
    this.view.paint()
  }

  shape(kind, first, last, scene, label = "") {
    const mark = { kind, label, to: null, y: [last.price], color: this.view.accent, width: 1.5, opacity: 0.16, version: 0, told: "" }
    if (kind === "level") mark.from = timeOf(last.bar, scene)
    else if (kind === "text") mark.from = timeOf(last.bar, scene)
    else if (kind === "line") {
      const [a, b] = first.bar <= last.bar ? [first, last] : [last, first]
      Object.assign(mark, { from: timeOf(a.bar, scene), to: timeOf(b.bar, scene), y: [a.price, b.price] })
    } else {
      const [low, high] = [first.bar, last.bar].sort((a, b) => a - b)
      const prices = [first.price, last.price].sort((a, b) => b - a)
      Object.assign(mark, { from: timeOf(low, scene), to: timeOf(high + 1, scene), y: prices })
    }
    return mark
  }

  make(kind, first, last, label = "") {
    const scene = this.view.scene(), mark = this.shape(kind, first, last, scene, label)
    this.pick(null)
    if ((kind === "zone" && mark.y[0] === mark.y[1]) || (kind === "line" && mark.from === mark.to)) {
      return this.say(`A ${kind} needs two ends: drag from one to the other.`)
    }
    const token = this.send({ op: "create", fields: fieldsOf(mark, {}) }, { mark })
    this.choose(token)
  }

  changed(id, before, mark) {
    const fields = fieldsOf(mark, fieldsOf(before, {}))
    if (!Object.keys(fields).length) return this.view.paint()
    this.send({ op: "update", id, version: before.version, fields }, { id, mark })
    this.view.paint()
  }

  act(name) {
    const id = this.chosen, mark = this.marks.get(id)
    if (!mark) return
    if (name === "delete" && mark.auto && this.sure !== id) {
      this.sure = id
      return this.say(`${mark.told}. Deleted, it is not found again: press delete once more.`)
    }
    if (name === "copy") return void this.send({ op: "copy", id }, { mark: null })
    this.send({ op: "delete", id, version: mark.version }, { id, mark: null })
    this.choose(null)
  }

  // --- what is told ---

  send(what, pending) {
    const token = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`
    this.pending.set(token, { ...pending, op: what.op })
    this.queue.push({ token, ...what })
    this.next()
    return token
  }

  next() {
    if (this.inFlight || !this.queue.length) return
    const what = (this.inFlight = this.queue.shift()), { token } = what
    const known = this.newest?.id === what.id ? this.newest?.version : undefined // of a change before, that is not here yet
    if (what.version < known) what.version = known
    this.tell(what)
    this.waiting = setTimeout(() => this.answered({ token, error: "No answer from the page: what was drawn may be lost. Look again." }), ANSWER_MS)
  }

  answered({ token, id, version, error }) {
    if (this.inFlight?.token !== token) return
    clearTimeout(this.waiting)
    this.inFlight = null
    const pending = this.pending.get(token)
    if (error) {
      this.pending.delete(token)
      this.say(error)
    } else {
      if (this.chosen === token || pending.op === "copy") this.chosen = id
      Object.assign(pending, { id, version })
      this.newest = { id, version }
    }
    this.view.paint()
    this.next()
  }

  say(sentence) {
    this.said.textContent = sentence
    this.said.hidden = false
    clearTimeout(this.quiet)
    this.quiet = setTimeout(() => { this.said.hidden = true; this.sure = null }, SAID_MS)
    this.view.paint()
  }

  // --- what is shown ---

  choose(id) {
    if (id !== this.chosen) {
      this.sure = null
      this.said.hidden = true
    }
    this.chosen = id
    this.show()
    this.view.paint()
  }

  show() {
    for (const name of Object.keys(TOOLS)) this.buttons[name].setAttribute("aria-pressed", String(this.tool === name))
    for (const name of Object.keys(ACTS)) this.buttons[name].disabled = !this.marks.has(this.chosen)
    this.view.root.classList.toggle("tp-drawing", Boolean(this.tool))
    this.view.root.dataset.marks = this.marks.size
    this.view.root.dataset.chosen = this.chosen ?? ""
  }

  // A field at a point of the graph; `done` gets what is written there, if anything is.
  write({ x, y }, text, done) {
    this.field?.remove()
    const field = (this.field = element(this.view.root, "input", "tp-field"))
    Object.assign(field, { type: "text", value: text, maxLength: 1000, placeholder: "text, then Enter" })
    field.setAttribute("aria-label", "Text of the annotation")
    const { graph } = this.view
    field.style.left = `${graph.offsetLeft + Math.min(x, graph.clientWidth - 200)}px`
    field.style.top = `${graph.offsetTop + y - 14}px`
    const leave = (keep) => {
      if (this.field !== field) return
      this.field = null
      field.remove()
      if (keep && (field.value.trim() || text)) done(field.value.trim())
      else if (this.tool === "text") this.pick(null)
    }
    field.onkeydown = (event) => {
      event.stopPropagation()
      if (event.key === "Enter") leave(true)
      if (event.key === "Escape") leave(false)
    }
    field.onblur = () => leave(true)
    setTimeout(() => field.focus()) // after the press that opened it
  }

  button(name, title, path) {
    const button = element(this.bar, "button", `tp-tool tp-tool-${name}`)
    Object.assign(button, { type: "button", title })
    button.setAttribute("aria-label", title)
    const place = "http://www.w3.org/2000/svg"
    const icon = document.createElementNS(place, "svg"), line = document.createElementNS(place, "path")
    icon.setAttribute("viewBox", "0 0 16 16")
    line.setAttribute("d", path)
    icon.append(line)
    button.append(icon)
    button.onclick = () => (name in TOOLS ? this.pick(name) : this.act(name))
    return button
  }
}

// The fields of a mark that are others than those of `before`.
function fieldsOf(mark, before) {
  const found = { kind: mark.kind, start_at: mark.from, end_at: mark.to, text: mark.label }
  NAMES[mark.kind].forEach((name, i) => { found[name] = mark.y[i] })
  return Object.fromEntries(Object.entries(found).filter(([name, value]) => before[name] !== value))
}

function element(parent, tag, className) {
  const made = document.createElement(tag)
  made.className = className
  parent.append(made)
  return made
}

// The scene of a chart's view, for marks.js.
export function sceneOf(full, range, base, times, digits, style) {
  const { _offset: offset, _length: length, range: prices } = full.yaxis
  const places = Math.min(15, digits), number = new Intl.NumberFormat("en-US", { minimumFractionDigits: places, maximumFractionDigits: places })
  const rounded = (value) => Math.max(10 ** -places, Number(value.toFixed(places)))
  return {
    x: { offset: full.xaxis._offset, length: full.xaxis._length, range }, y: { offset, length, range: prices },
    base, times, step: stepOf(times), number: (value) => number.format(value), rounded, ...style,
  }
}
