// What is simulated, replayed, delayed or stale, in words. A price without a word is one that the plant has live.

import { ageText, intervalMs } from "./times.js"

const BUILT = "built:"
const GRACE_MS = 10_000 // for the way from the venue to the page, its timers included
const LATE_AFTER_BARS = 1.5
const STALE_AFTER_BARS = 4
const DELAYED_AFTER_MS = 5 * 60_000

/** The feed that a row came from, also if the plant built a bar of its trades. */
export function feedOf(source) {
  return String(source ?? "").startsWith(BUILT) ? source.slice(BUILT.length) : String(source ?? "")
}

/** What the name of a source says of its prices: "simulated", "replayed", "delayed", or "" for live ones. */
export function kindOf(source, kinds = {}) {
  const feed = feedOf(source)
  const word = `${kinds[feed] ?? ""} ${feed}`.toLowerCase()
  if (word.includes("simulated")) return "simulated"
  if (/\b(recorded|replayed|replay)\b/.test(word)) return "replayed"
  return /delayed/.test(word) ? "delayed" : ""
}

const MEANING = {
  simulated: ["SIMULATED", "These prices are made up by the simulated feed. They are not a market's."],
  replayed: ["REPLAYED", "These prices are a recording that is played again, not what the market does now."],
  delayed: ["DELAYED", "The venue sends these prices late."],
}

/** The badge of a kind, {kind, word, detail}, or null. */
export function badgeOf(kind) {
  const found = MEANING[kind]
  return found ? { kind, word: found[0], detail: found[1] } : null
}

/** How fresh the newest bar is: {level: live|late|stale|none, ageMs, text}. Age counts from what the plant last took. */
export function freshnessOf(bar, interval, nowMs) {
  if (!bar) return { level: "none", ageMs: null, text: "no bar yet" }
  const length = intervalMs(interval)
  const came = bar.received ?? Math.min(nowMs, bar.ms + length)
  const ageMs = Math.max(0, nowMs - came)
  const late = Number.isFinite(length) ? LATE_AFTER_BARS * length + GRACE_MS : Infinity
  const stale = Number.isFinite(length) ? STALE_AFTER_BARS * length + GRACE_MS : Infinity
  const level = ageMs <= late ? "live" : ageMs <= stale ? "late" : "stale"
  const text = level === "live" ? `last tick ${ageText(ageMs)} ago` : `${level}: last tick ${ageText(ageMs)} ago`
  return { level, ageMs, text }
}

/** How late a bar came to the plant, in ms, if that is more than five minutes; else 0. */
export function delayOf(bar, interval) {
  if (!bar || bar.received === null || bar.received === undefined) return 0
  const late = bar.received - (bar.ms + intervalMs(interval))
  return late > DELAYED_AFTER_MS ? late : 0
}

/** All that has to be said of a symbol's newest bar: a list of {kind, word, detail}. */
export function noticesOf(bar, interval, nowMs, { kinds = {}, connected = true } = {}) {
  const notices = []
  if (!connected) {
    notices.push({
      kind: "stale",
      word: "NOT CONNECTED",
      detail: "The page is cut off from the service; prices stand still.",
    })
  }
  if (!bar) return notices
  const badge = badgeOf(kindOf(bar.source, kinds))
  if (badge) notices.push(badge)
  const delay = delayOf(bar, interval)
  const fresh = freshnessOf(bar, interval, nowMs)
  if (delay && !badge && fresh.level === "live") {
    notices.push({ kind: "delayed", word: "DELAYED", detail: `The newest bar came ${ageText(delay)} after its end.` })
  }
  if (fresh.level === "late")
    notices.push({ kind: "late", word: "LATE", detail: `The newest bar came ${ageText(fresh.ageMs)} ago.` })
  if (fresh.level === "stale") {
    notices.push({
      kind: "stale",
      word: "STALE",
      detail: `Nothing has come for ${ageText(fresh.ageMs)}: closed, halted, or no feed.`,
    })
  }
  return notices
}
