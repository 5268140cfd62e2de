// Times on the x axis and in the read-out. They are wall-clock times of the exchange, written as if they were UTC: the
// browser's own time zone must not enter.

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR
const STEPS = [SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE,
  15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 12 * HOUR, DAY, 7 * DAY, 28 * DAY, 91 * DAY, 364 * DAY]

// Round clock times among the bars from..to of `local` (ms), as many as have room, the date where the day changes.
// Returns { places: [index of a bar], labels: [HTML as Plotly knows it] }; ticks stand at least `apart` bars from another.
export function ticks(local, from, to, room, apart) {
  const starts = (step) => {
    const places = []
    for (let i = Math.max(1, from); i <= to; i++) {
      if (Math.floor(local[i] / step) !== Math.floor(local[i - 1] / step)) places.push(i)
    }
    return places
  }
  const day = (i) => Math.floor(local[i] / DAY)
  const step = STEPS.find((length) => starts(length).length <= room) ?? STEPS.at(-1)
  const places = []
  for (const i of starts(step)) {
    const before = places.at(-1)
    if (before === undefined || i - before >= apart * 0.8) places.push(i)
    else if (day(i) !== day(i - 1)) places[places.length - 1] = i // the day's first bar wins over its neighbour
  }
  const labels = places.map((i, n) => label(local[i], step, n === 0 || day(places[n - 1]) !== day(i)))
  return { places, labels }
}

// "20 Nov 2026 09:30", with seconds if there are any.
export function stamp(time) {
  return `${date(time)} ${new Date(time).getUTCFullYear()} ${clock(time, time % MINUTE !== 0)}`
}

function label(time, step, newDay) {
  if (step >= 28 * DAY) return `${MONTHS[new Date(time).getUTCMonth()]} ${new Date(time).getUTCFullYear()}`
  if (step >= DAY) return date(time)
  return clock(time, step < MINUTE) + (newDay ? `<br><b>${date(time)}</b>` : "")
}

function clock(time, seconds) {
  const at = new Date(time)
  return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}${seconds ? ":" + two(at.getUTCSeconds()) : ""}`
}

function date(time) {
  const at = new Date(time)
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}`
}

function two(value) {
  return String(value).padStart(2, "0")
}
