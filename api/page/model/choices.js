// What the page remembers of what a person chose. The key is kept for the session of the tab, all else in the browser.

const NAME = "tickplant.choices"
const KEY = "tickplant.key"

export const DEFAULTS = {
  sym: "",
  intervals: ["2m", "5m", "15m"],
  widths: [1, 1, 1],
  bottom: 260,
  tab: "charts",
  pane: "position",
  overlays: ["ema:period=20", "vwap:deviations=1"],
  hidden: [],
  zone: "",
  shortcuts: true,
  watched: [],
  account: "",
}

/** The choices in `storage`, what is missing or of another form as in DEFAULTS. */
export function load(storage) {
  let stored = {}
  try {
    stored = JSON.parse(storage.getItem(NAME) ?? "{}") ?? {}
  } catch {
    // a damaged entry counts as none
  }
  const choices = structuredClone(DEFAULTS)
  for (const [name, value] of Object.entries(stored))
    if (name in DEFAULTS && sameForm(DEFAULTS[name], value)) choices[name] = value
  return choices
}

function sameForm(known, value) {
  if (!Array.isArray(known)) return typeof known === typeof value
  if (!Array.isArray(value)) return false
  const fixed = known.length === 3
  return (!fixed || value.length === 3) && value.every((each) => typeof each === typeof (known[0] ?? ""))
}

export function save(storage, choices) {
  storage.setItem(NAME, JSON.stringify(choices))
}

export function key(session) {
  return session.getItem(KEY) ?? ""
}

export function keepKey(session, value) {
  if (value) session.setItem(KEY, value)
  else session.removeItem(KEY)
}

/** The widths of charts after the border behind `index` moved by `share` of the whole; none gets narrower than a tenth. */
export function resized(widths, index, share) {
  const whole = widths.reduce((sum, width) => sum + width, 0)
  const least = 0.1 * whole
  const by = Math.max(least - widths[index], Math.min(share * whole, widths[index + 1] - least))
  return widths.map((width, i) => (i === index ? width + by : i === index + 1 ? width - by : width))
}
