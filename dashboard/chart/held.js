// What a place of the page holds of what its Python sent: the whole of it at first, then what changed since one that is
// kept here (dashboard/refresh/held.py). It says what it has when it is asked to, and what it lacks.

import { changed } from "./changes.js"

const KEPT = 5 // values that changes may be since
const HAS_MS = 3000 // Python runs again for what it is told: not more often than this
const IDLE_MS = 1000 // and as soon as the page has nothing to do, at the latest after this

// Streamlit hands Python what all boxes of the page hold whenever one of its parts tells something. What Python has put into a
// box in the same run is in it only once the page is done with drawing that run.
const idly = globalThis.requestIdleCallback?.bind(globalThis) ?? ((does) => setTimeout(does, IDLE_MS)) // Safari has none

export class Held {
  constructor() {
    this.kept = new Map() // revision -> value
  }

  // The value of a message, null if it is what changed since one that is not here.
  found({ revision, whole, base, changes, tell: asked }, tell) {
    const old = this.kept.get(base)
    if (!whole && !old) {
      tell({ lacks: base })
      return null
    }
    if (!whole) this.keep(base, old)
    const value = whole ?? changed(old, changes)
    if (asked) {
      this.keep(revision, value)
      clearTimeout(this.telling)
      const told = () => { if (!this.closed) { this.toldAt = performance.now(); tell({ has: revision }) } }
      const soon = () => idly(told, { timeout: IDLE_MS })
      this.telling = setTimeout(soon, Math.max(0, (this.toldAt ?? -HAS_MS) + HAS_MS - performance.now()))
    }
    return value
  }

  keep(revision, value) {
    this.kept.delete(revision) // it becomes the newest
    this.kept.set(revision, value)
    if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value)
  }

  close() {
    this.closed = true
    clearTimeout(this.telling)
  }
}
