// The colours of the page for what is drawn on a canvas, which CSS does not reach.

const NAMES = [
  "panel",
  "text",
  "soft",
  "faint",
  "line",
  "line-strong",
  "grid",
  "accent",
  "up",
  "down",
  "warn",
  "violet",
  "paper",
  "live",
]
const LINES = ["#5b9bff", "#f2ac3c", "#b48cff", "#35b6c8", "#e278b0", "#8bbf4d", "#d98b5f", "#8c9bb5"]

/** The colours in force: {panel, text, ...}. */
export function palette() {
  const style = getComputedStyle(document.documentElement)
  return Object.fromEntries(NAMES.map((name) => [name.replace("-", "_"), style.getPropertyValue(`--${name}`).trim()]))
}

/** The colour of the n-th overlay. */
export function lineColor(n) {
  return LINES[n % LINES.length]
}

/** A colour of the form #rrggbb with an opacity in [0, 1]. */
export function faded(color, opacity) {
  const match = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color)
  if (!match) return color
  return `rgba(${parseInt(match[1], 16)}, ${parseInt(match[2], 16)}, ${parseInt(match[3], 16)}, ${opacity})`
}

const scratch = document.createElement("canvas").getContext("2d")

/** The colour that an annotation has of its own, a name or #rrggbb, as #rrggbb; else the one of its kind. */
export function ownColor(object, otherwise) {
  if (!object.style?.colour) return otherwise
  scratch.fillStyle = otherwise
  scratch.fillStyle = String(object.style.colour) // what is none is passed over
  return scratch.fillStyle
}

/** Calls `changed` when the system turns dark or light. */
export function onThemeChange(changed) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed)
}
