// What the page's Python found changed since a value that is here: dashboard/refresh/changes.py says how it is written.

// Returns the new value; what did not change is shared with `old`, which stays as it is.
export function changed(old, made) {
  if (made === null) return old
  const [kind] = made
  if (kind === "=") return made[1]
  if (kind === "{") {
    const [, found, gone] = made, now = { ...old }
    for (const key of gone) delete now[key]
    for (const [key, part] of Object.entries(found)) now[key] = changed(old[key], part)
    return now
  }
  const [, cut, kept, places, elements, tail] = made
  const now = old.slice(cut, cut + kept).concat(tail)
  places.forEach((place, i) => { now[place] = elements[i] })
  return now
}
