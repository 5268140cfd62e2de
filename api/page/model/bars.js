// Bars of one symbol and interval in the order of their times; a row replaces the one of its time.

import { msOf } from "./times.js"

/** A row of bars as the page keeps it: `ms` is the bar's start, `received` when it came if it came live. */
export function barOf(row, received = null) {
  const bar = { ms: msOf(row.time), closed: row.closed ?? null, source: row.source ?? "", received }
  for (const name of ["open", "high", "low", "close"]) bar[name] = row[name]
  bar.volume = row.volume ?? NaN
  const whole = bar.ms !== null && [bar.open, bar.high, bar.low, bar.close].every(Number.isFinite)
  return whole ? bar : null
}

export class Bars {
  /** At most `most` bars are kept, the newest (history that was loaded on purpose raises it). */
  constructor(most = 5000) {
    this.most = most
    this.list = []
  }

  get last() {
    return this.list.at(-1) ?? null
  }

  get lastClosed() {
    return this.list.findLast((bar) => bar.closed !== false) ?? null
  }

  /** Take rows; with `reset` they are all there is; `received`: when, if they came live. Returns "all" if the chart is drawn anew, else the bars that changed. */
  take(rows, reset = false, received = null) {
    const taken = rows.map((row) => barOf(row, received)).filter(Boolean)
    if (reset) this.list = []
    const changed = []
    let anew = reset
    for (const bar of taken) {
      const last = this.list.at(-1)
      if (!last || bar.ms > last.ms) {
        this.list.push(bar)
      } else {
        const index = this.indexOf(bar.ms)
        if (this.list[index]?.ms === bar.ms) {
          this.list[index] = bar
        } else {
          this.list.splice(index, 0, bar) // one that came late, between others
          anew = true
        }
      }
      changed.push(bar)
    }
    if (this.list.length > this.most) {
      this.list.splice(0, this.list.length - this.most)
      anew = true
    }
    return anew ? "all" : changed
  }

  /** Put older bars before those that are there; returns how many came. */
  prepend(rows) {
    const first = this.list[0]?.ms ?? Infinity
    const older = rows.map((row) => barOf(row)).filter((bar) => bar && bar.ms < first)
    older.sort((a, b) => a.ms - b.ms)
    this.most = Math.max(this.most, this.list.length + older.length + 1000)
    this.list.unshift(...older)
    return older.length
  }

  /** The place of the first bar that is not before `ms`. */
  indexOf(ms) {
    let low = 0
    let high = this.list.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.list[middle].ms < ms) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The bar that starts at `ms`, or null. */
  at(ms) {
    const bar = this.list[this.indexOf(ms)]
    return bar?.ms === ms ? bar : null
  }
}

export const TREND_BARS = 20

/** "up", "down" or "flat": the last close against the mean of the last 20; null where there are fewer. */
export function trendOf(list) {
  if (list.length < TREND_BARS) return null
  const closes = list.slice(-TREND_BARS).map((bar) => bar.close)
  const mean = closes.reduce((sum, close) => sum + close, 0) / TREND_BARS
  const last = closes.at(-1)
  if (Math.abs(last - mean) <= 1e-4 * mean) return "flat"
  return last > mean ? "up" : "down"
}
