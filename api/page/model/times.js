// Times: what the service sends, in milliseconds since 1970 UTC, and what a person reads, in a time zone.

const UNITS_MS = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5, M: 2678400e3 }
const formatters = new Map()

/** Milliseconds UTC of a time as the service sends it (RFC 3339, or ms with times=ms); null if it is not known. */
export function msOf(value) {
  if (value === null || value === undefined || value === "") return null
  const ms = typeof value === "number" ? value : Date.parse(value)
  return Number.isFinite(ms) ? ms : null
}

/** The time as the service takes it: RFC 3339 UTC. */
export function sent(ms) {
  return new Date(ms).toISOString()
}

/** The length of a bar in ms: "2m", "1h", "1d"; NaN for what is no interval. A month counts 31 days. */
export function intervalMs(name) {
  const match = /^(\d+)(ms|s|m|h|d|w|M)$/.exec(name)
  return match ? Number(match[1]) * UNITS_MS[match[2]] : NaN
}

/** Whether bars of this interval are labelled by days, not by times of day. */
export function isDaily(interval) {
  return intervalMs(interval) >= UNITS_MS.d
}

/** Whether `zone` is a time zone that this browser knows. */
export function isZone(zone) {
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: zone })
    return Boolean(zone)
  } catch {
    return false
  }
}

/** The parts of a time in a zone: {year, month, day, weekday, hour, minute, second}, all texts with leading zeros. */
export function partsOf(ms, zone) {
  let formatter = formatters.get(zone)
  if (!formatter) {
    formatter = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    })
    formatters.set(zone, formatter)
  }
  return Object.fromEntries(formatter.formatToParts(ms).map(({ type, value }) => [type, value]))
}

/** "2026-11-20", the day in that zone. */
export function dayOf(ms, zone) {
  const { year, month, day } = partsOf(ms, zone)
  return `${year}-${month}-${day}`
}

/** "09:30", or "09:30:15" with `seconds`. */
export function clockText(ms, zone, seconds = false) {
  const { hour, minute, second } = partsOf(ms, zone)
  return seconds ? `${hour}:${minute}:${second}` : `${hour}:${minute}`
}

/** "Fri 2026-11-20 09:30", of bars of a day "Fri 2026-11-20". */
export function stampText(ms, zone, interval = "1m") {
  const day = `${partsOf(ms, zone).weekday} ${dayOf(ms, zone)}`
  return isDaily(interval) ? day : `${day} ${clockText(ms, zone, intervalMs(interval) < UNITS_MS.m)}`
}

/** What stands at the axis: `weight` 0 year, 1 month, 2 day, 3 time, 4 time with seconds (lightweight-charts). */
export function tickText(ms, weight, zone) {
  const parts = partsOf(ms, zone)
  const month = new Intl.DateTimeFormat("en-GB", { timeZone: zone, month: "short" }).format(ms)
  if (weight === 0) return parts.year
  if (weight === 1) return month
  if (weight === 2) return `${Number(parts.day)} ${month}`
  return clockText(ms, zone, weight === 4)
}

/** An age as a person says it: "0 s", "1 min 15 s", "2 h 1 min", "2 d 7 h". */
export function ageText(ms) {
  const whole = Math.floor(Math.max(0, ms) / 1000)
  for (const [size, unit, partSize, part] of [
    [86400, "d", 3600, "h"],
    [3600, "h", 60, "min"],
    [60, "min", 1, "s"],
  ]) {
    if (whole < size) continue
    const rest = Math.floor((whole % size) / partSize)
    return `${Math.floor(whole / size)} ${unit}${rest ? ` ${rest} ${part}` : ""}`
  }
  return `${whole} s`
}
