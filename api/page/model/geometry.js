// Where a drawn object can be taken hold of, and what it becomes when it is dragged. Pure: pixels in, prices out.

const REACH = 6 // pixels

/** The part of an object at a point, or null. `place` = {x, x2, y, y2}: its edges in pixels, x2 null: to the right end. */
export function partAt(object, place, point, width) {
  const right = place.x2 ?? width
  const within = point.x >= place.x - REACH && point.x <= right + REACH
  const near = (a, b) => Math.abs(a - b) <= REACH
  if (object.kind === "zone") {
    if (!within) return null
    if (near(point.y, place.y)) return "top"
    if (near(point.y, place.y2)) return "bottom"
    const inside = point.y > place.y && point.y < place.y2
    if (!inside && !near(point.y, place.y) && !near(point.y, place.y2)) return null
    if (near(point.x, place.x)) return "start"
    if (place.x2 !== null && near(point.x, place.x2)) return "end"
    return inside ? "body" : null
  }
  if (object.kind === "line" || object.kind === "flag") {
    if (near(point.x, place.x) && near(point.y, place.y)) return "start"
    if (near(point.x, place.x2) && near(point.y, place.y2)) return "end"
    return distanceToSegment(point, place) <= REACH ? "body" : null
  }
  if (object.kind === "level") return within && near(point.y, place.y) ? "body" : null
  return Math.hypot(point.x - place.x, point.y - place.y) <= 2 * REACH ? "body" : null
}

function distanceToSegment(point, { x, y, x2, y2 }) {
  const [dx, dy] = [x2 - x, y2 - y]
  const along = Math.max(0, Math.min(1, ((point.x - x) * dx + (point.y - y) * dy) / (dx * dx + dy * dy || 1)))
  return Math.hypot(point.x - x - along * dx, point.y - y - along * dy)
}

/** The object after `part` was dragged from one place to another, each {ms, price}; prices stay above 0, top above bottom. */
export function dragged(object, part, from, to, tick = 0.01) {
  const by = to.price - from.price
  const later = from.ms !== null && to.ms !== null ? to.ms - from.ms : 0
  const price = (value) => Math.max(tick, Math.round(value / tick) * tick)
  const next = { ...object }
  const moveTimes = () => {
    next.start_at = object.start_at + later
    if (object.end_at !== null) next.end_at = object.end_at + later
  }
  if (object.kind === "zone") {
    if (part === "top") next.top = Math.max(price(object.top + by), price(object.bottom + tick))
    else if (part === "bottom") next.bottom = Math.min(price(object.bottom + by), price(object.top - tick))
    else if (part === "start") next.start_at = Math.min(object.start_at + later, object.end_at ?? Infinity)
    else if (part === "end") next.end_at = Math.max(object.end_at + later, object.start_at)
    else {
      next.bottom = price(object.bottom + by)
      next.top = Math.max(price(object.top + by), price(next.bottom + tick))
      moveTimes()
    }
  } else if (object.kind === "line" || object.kind === "flag") {
    if (part !== "end") next.price = price(object.price + by)
    if (part !== "start") next.price_end = price(object.price_end + by)
    if (part === "body") moveTimes()
    if (part === "start") next.start_at = Math.min(object.start_at + later, object.end_at)
    if (part === "end") next.end_at = Math.max(object.end_at + later, object.start_at)
  } else {
    next.price = price(object.price + by)
    if (object.kind !== "level") moveTimes()
  }
  return rounded(next, tick)
}

/** A new object of a kind between two places. */
export function drawn(kind, sym, from, to, tick = 0.01) {
  const [a, b] = [from, to]
  const first = Math.min(a.ms, b.ms)
  const last = Math.max(a.ms, b.ms)
  const base = {
    sym,
    kind,
    type: "user",
    source: "user:",
    text: kind === "text" ? "Note" : "",
    style: {},
    state: "active",
    end_at: null,
  }
  if (kind === "zone") {
    const [bottom, top] = [Math.min(a.price, b.price), Math.max(a.price, b.price)]
    return rounded(
      { ...base, start_at: first, end_at: last > first ? last : null, top: Math.max(top, bottom + tick), bottom },
      tick,
    )
  }
  if (kind === "line") {
    const [start, end] = a.ms <= b.ms ? [a, b] : [b, a]
    return rounded({ ...base, start_at: first, end_at: last, price: start.price, price_end: end.price }, tick)
  }
  return rounded({ ...base, start_at: a.ms, price: a.price }, tick)
}

/** Prices to whole ticks, without the digits that binary numbers add. */
function rounded(object, tick) {
  const digits = Math.max(0, Math.min(10, Math.round(-Math.log10(tick)) + 2))
  for (const name of ["price", "price_end", "top", "bottom"]) {
    if (!Number.isFinite(object[name])) continue
    const value = Number((Math.round(object[name] / tick) * tick).toFixed(digits))
    object[name] = Math.max(value, tick)
  }
  if (object.kind === "zone" && object.top <= object.bottom) object.top = Number((object.bottom + tick).toFixed(digits))
  return object
}
