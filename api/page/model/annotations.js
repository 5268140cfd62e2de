// Annotations: events folded into objects, and which of them a chart of an interval shows.

import { msOf } from "./times.js"

const TIMES = ["start_at", "end_at"]

/** The object of an event row: times in ms, style as an object, null where a number is not told. */
export function objectOf(row) {
  const object = { ...row }
  for (const name of TIMES) object[name] = msOf(row[name])
  object.style = styleOf(row.style)
  return object
}

function styleOf(style) {
  if (style && typeof style === "object") return style
  try {
    const parsed = JSON.parse(style || "{}")
    return parsed && typeof parsed === "object" ? parsed : {}
  } catch {
    return {}
  }
}

export class Annotations {
  constructor() {
    this.objects = new Map()
    this.versions = new Map() // of deleted ones, too, so that an older event does not bring one back
  }

  /** Take event rows; with `reset` they are all there is. Returns the ids that changed. */
  take(rows, reset = false) {
    const changed = new Set()
    if (reset) {
      for (const id of this.objects.keys()) changed.add(id)
      this.objects.clear()
      this.versions.clear()
    }
    for (const row of rows) {
      if (!row.id || row.version <= (this.versions.get(row.id) ?? 0)) continue
      this.versions.set(row.id, row.version)
      if (row.action === "delete") this.objects.delete(row.id)
      else this.objects.set(row.id, objectOf(row))
      changed.add(row.id)
    }
    return changed
  }

  get(id) {
    return this.objects.get(id) ?? null
  }

  /** Those that a chart of `sym` and `interval` shows: levels and zones on all, what is of bars on theirs only. */
  shown(sym, interval, hidden = new Set()) {
    return [...this.objects.values()].filter(
      (object) =>
        object.sym === sym &&
        !hidden.has(groupOf(object)) &&
        !["expired", "failed"].includes(object.state) &&
        (everywhere(object) || object.interval === interval),
    )
  }
}

function everywhere(object) {
  return !isAutomatic(object) || !object.interval || object.kind === "level" || object.kind === "zone"
}

/** Whether the plant found it by itself; such a one cannot be moved. */
export function isAutomatic(object) {
  return object.source === "auto"
}

/** Why this object cannot be moved or changed: a sentence, or "" if it can. */
export function whyFixed(object) {
  if (isAutomatic(object)) {
    return `“${nameOf(object)}” was found by the plant and cannot be moved: it follows from the bars. Copy it to draw your own, or delete it.`
  }
  if (String(object.source).startsWith("strategy:")) {
    return `“${nameOf(object)}” is shown by ${object.source.replace("strategy:", "strategy ")}, which would move it back. Copy it to draw your own.`
  }
  return ""
}

/** What a person reads of it: its label, else its type in words. */
export function nameOf(object) {
  return object.text || String(object.type === "user" ? object.kind : object.type || object.kind).replaceAll("_", " ")
}

/** The group by which annotations are switched on and off. */
export function groupOf(object) {
  if (!isAutomatic(object)) return "drawn"
  const type = String(object.type)
  const groups = [
    ["prev_", "previous day and week"],
    ["premarket", "pre-market"],
    ["opening_range", "opening range"],
    ["floor_pivot", "floor pivots"],
    ["day_level", "day levels"],
    ["day_zone", "day zones"],
    ["supply", "supply and demand"],
    ["demand", "supply and demand"],
    ["pivot", "pivots"],
    ["zigzag", "zigzag"],
    ["bull_flag", "flags"],
    ["bear_flag", "flags"],
  ]
  return groups.find(([prefix]) => type.startsWith(prefix))?.[1] ?? type.replaceAll("_", " ")
}

/** What a drawn object is sent as: only what its kind has. */
export function bodyOf(object) {
  const fields = {
    level: ["price"],
    marker: ["price"],
    text: ["price"],
    zone: ["top", "bottom"],
    line: ["price", "price_end"],
    flag: ["price", "price_end"],
    pivot: ["price"],
  }[object.kind]
  const body = { sym: object.sym, kind: object.kind }
  for (const name of fields) body[name] = object[name]
  for (const name of TIMES)
    if (object[name] !== null && object[name] !== undefined) body[name] = new Date(object[name]).toISOString()
  if (object.text) body.text = object.text
  return body
}
