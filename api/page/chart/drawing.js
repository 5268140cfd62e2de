// The pointer and the keyboard over what is drawn: choose, drag, draw. Writes go through `app.annotations`.

import { whyFixed } from "../model/annotations.js"
import { timeAt } from "../model/axis.js"
import { dragged, drawn } from "../model/geometry.js"
import { intervalMs } from "../model/times.js"
import { objectAt } from "./layer.js"

const MOVED = 3 // pixels: less is a click

export class Drawing {
  constructor(app, chart) {
    this.app = app
    this.chart = chart
    this.held = null // {object, part, from, at, next, moved}
    this.anchor = null // where a new object begins
    const { canvas } = chart
    canvas.addEventListener("pointerdown", (event) => this.#down(event), true)
    canvas.addEventListener("pointermove", (event) => this.#move(event), true)
    canvas.addEventListener("pointerup", (event) => this.#up(event), true)
    canvas.addEventListener("pointercancel", () => this.cancel(), true)
    for (const name of ["mousedown", "touchstart"])
      canvas.addEventListener(name, (event) => this.held && event.stopPropagation(), true)
    canvas.addEventListener("keydown", (event) => this.#key(event))
  }

  /** What is drawn on this chart: annotations, the ones under the pointer as they would be, lines of orders. */
  objects() {
    const { app, chart } = this
    const shown = [...app.annotationsOf(chart.sym, chart.interval), ...app.orderLinesOf(chart.sym)]
    if (!this.held) return shown
    const { object, next } = this.held
    return object.id ? shown.map((each) => (each.id === object.id ? next : each)) : [...shown, next]
  }

  cancel() {
    this.held = null
    this.chart.redraw()
  }

  #point(event) {
    const box = this.chart.canvas.getBoundingClientRect()
    return { x: event.clientX - box.left, y: event.clientY - box.top }
  }

  #place(point) {
    const { chart } = this
    const place = chart.chart.timeScale().coordinateToLogical(point.x)
    const price = chart.candles.coordinateToPrice(point.y)
    const ms = place === null ? null : timeAt(chart.bars.list, place, intervalMs(chart.interval))
    return price === null || ms === null ? null : { price, ms }
  }

  #inPane(point) {
    const size = this.chart.chart.paneSize(0)
    return point.x < size.width && point.y < size.height
  }

  #down(event) {
    if (event.button !== 0 || event.target.closest("button")) return
    const point = this.#point(event)
    if (!this.#inPane(point)) return
    const at = this.#place(point)
    const { tool } = this.app
    if (tool && at) {
      const object = drawn(tool, this.chart.sym, at, at, this.chart.tick)
      this.held = { object, part: "new", from: at, at: point, next: object, moved: false }
    } else {
      const found = objectAt(this.objects(), point, this.chart.chart.paneSize(0).width, this.chart.frame)
      this.app.choose(found?.object.id ?? null)
      if (!found || !at) return
      this.held = {
        object: found.object,
        part: found.part,
        from: at,
        at: point,
        next: found.object,
        moved: false,
        why: found.object.order ? "" : whyFixed(found.object),
      }
      if (this.held.why && event.pointerType === "touch") this.held = null // let the finger scroll
    }
    if (this.held) this.chart.canvas.setPointerCapture(event.pointerId)
  }

  #move(event) {
    const point = this.#point(event)
    if (!this.held) return this.#hover(point)
    const { object, part, from, at, why } = this.held
    if (Math.hypot(point.x - at.x, point.y - at.y) > MOVED) this.held.moved = true
    const to = this.#place(point)
    if (!to || !this.held.moved || why) return
    if (part === "new") this.held.next = drawn(object.kind, object.sym, from, to, this.chart.tick)
    else if (object.order)
      this.held.next = {
        ...dragged(object, "price", from, to, this.chart.tick),
        text: this.app.positions.dragText(object.order, to.price),
      }
    else this.held.next = dragged(object, part, from, to, this.chart.tick)
    this.chart.redraw()
  }

  #hover(point) {
    const found = this.app.tool
      ? null
      : objectAt(this.objects(), point, this.chart.chart.paneSize(0).width, this.chart.frame)
    const movable = found && (found.object.order || !whyFixed(found.object))
    const shape = !found
      ? ""
      : !movable
        ? "pointer"
        : ({ start: "ew-resize", end: "ew-resize", top: "ns-resize", bottom: "ns-resize" }[found.part] ??
          (found.object.kind === "level" ? "ns-resize" : "move"))
    for (const canvas of this.chart.canvas.querySelectorAll("canvas")) canvas.style.cursor = shape
  }

  #up() {
    const { held } = this
    if (!held) return
    this.held = null
    if (held.part === "new") this.#finish(held)
    else if (held.moved && held.why) this.app.toast("bad", held.why)
    else if (held.moved && held.object.order) this.app.moveOrder(held.object.order, held.next.price)
    else if (held.moved) this.app.annotations.move(held.object, held.next)
    this.chart.redraw()
  }

  #finish(held) {
    const { kind } = held.object
    if (!held.moved && (kind === "zone" || kind === "line")) {
      this.app.toast("note", `Press, and drag to the other ${kind === "zone" ? "corner" : "end"}.`)
      return
    }
    this.app.useTool(null)
    this.app.annotations.create(held.next)
  }

  /** Put a new object at the newest bar (keyboard): a zone and a line over the last twenty bars. */
  #put(kind) {
    const { list } = this.chart.bars
    if (!list.length) return
    const some = list.slice(-20)
    const last = list.at(-1)
    const [high, low] = [Math.max(...some.map((bar) => bar.high)), Math.min(...some.map((bar) => bar.low))]
    const from = { ms: some[0].ms, price: kind === "zone" ? low : last.close }
    const to = { ms: last.ms, price: kind === "zone" ? high : last.close }
    this.app.useTool(null)
    this.app.annotations.create(drawn(kind, this.chart.sym, kind === "level" ? to : from, to, this.chart.tick))
  }

  #key(event) {
    const { app, chart } = this
    const object = app.chosenObject()
    const far = event.shiftKey ? 10 : 1
    const moveBy = (ticks) => {
      const why = whyFixed(object)
      if (why) return app.toast("bad", why)
      const zero = { ms: null, price: 0 }
      app.annotations.move(object, dragged(object, "body", zero, { ms: null, price: ticks * chart.tick }, chart.tick))
    }
    const keys = {
      ArrowLeft: () => chart.scroll(-10 * far),
      ArrowRight: () => chart.scroll(10 * far),
      ArrowUp: () => object && moveBy(far),
      ArrowDown: () => object && moveBy(-far),
      "+": () => chart.zoom(0.8),
      "=": () => chart.zoom(0.8),
      "-": () => chart.zoom(1.25),
      End: () => chart.toLatest(),
      "]": () => this.#step(1),
      "[": () => this.#step(-1),
      Delete: () => object && app.annotations.remove(object),
      Enter: () => app.tool && this.#put(app.tool),
    }
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    event.stopPropagation()
    keys[event.key]()
  }

  #step(by) {
    const shown = this.app.annotationsOf(this.chart.sym, this.chart.interval)
    if (!shown.length) return this.app.toast("note", "Nothing is drawn on this chart.")
    const at = shown.findIndex((object) => object.id === this.app.chosen)
    this.app.choose(shown[(at + by + shown.length + (at < 0 && by < 0 ? 1 : 0)) % shown.length].id)
  }
}
