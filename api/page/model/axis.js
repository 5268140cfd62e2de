// Between times and places on the axis: bars stand side by side whatever lies between them, so a time that is no
// bar's start has its place between two bars, and one after the last bar in the room to the right of it.

/** The place (logical index, with a fraction) of a time among bars of a length; NaN without bars. */
export function placeOf(list, ms, lengthMs) {
  if (!list.length) return NaN
  const last = list.length - 1
  if (ms >= list[last].ms) return last + (ms - list[last].ms) / lengthMs
  if (ms < list[0].ms) return (ms - list[0].ms) / lengthMs
  let low = 0
  let high = last
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (list[middle].ms <= ms) low = middle
    else high = middle
  }
  const within = Math.min(1, (ms - list[low].ms) / Math.min(lengthMs, list[high].ms - list[low].ms))
  return low + within
}

/** The time at a place; the start of the nearest bar, beyond the bars by their length. */
export function timeAt(list, place, lengthMs) {
  if (!list.length) return null
  const index = Math.round(place)
  const last = list.length - 1
  if (index < 0) return list[0].ms + index * lengthMs
  return index <= last ? list[index].ms : list[last].ms + (index - last) * lengthMs
}

/** The first bar of each day in a zone: [{index, day}]; `dayOf(ms)` names a day. */
export function daysOf(list, dayOf) {
  const days = []
  for (const [index, bar] of list.entries()) {
    const day = dayOf(bar.ms)
    if (days.at(-1)?.day !== day) days.push({ index, day })
  }
  return days
}
