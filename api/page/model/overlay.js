// An indicator as it was chosen, in one text that can be kept: "ema:period=20", "macd:fast=12,slow=26,signal=9".

/** {name, parameters} of such a text. */
export function parsed(text) {
  const [name, rest = ""] = text.split(":")
  const parameters = {}
  for (const pair of rest.split(",").filter(Boolean)) {
    const [key, value] = pair.split("=")
    parameters[key] = valueOf(value)
  }
  return { name, parameters }
}

/** The text of a name and parameters. */
export function written(name, parameters = {}) {
  const pairs = Object.entries(parameters).map(([key, value]) => `${key}=${value}`)
  return pairs.length ? `${name}:${pairs.join(",")}` : name
}

/** What a person reads: "EMA 20", "MACD 12 26 9". */
export function labelOf(text) {
  const { name, parameters } = parsed(text)
  const numbers = Object.values(parameters).filter((value) => typeof value === "number")
  return [name.replaceAll("_", " ").toUpperCase(), ...numbers].join(" ")
}

/** The parameters of a catalogue entry with their defaults. */
export function defaultsOf(entry) {
  const parameters = {}
  for (const [name, { default: value }] of Object.entries(entry.parameters ?? {}))
    if (value !== undefined && value !== null) parameters[name] = value
  return parameters
}

/** What is wrong with a parameter's value by its entry: a sentence, or "". */
export function faultOf(name, value, { type, min, max }) {
  if (type === "int" && !Number.isInteger(value)) return `${name} must be a whole number.`
  if ((type === "int" || type === "float") && !Number.isFinite(value)) return `${name} must be a number.`
  if (min !== undefined && min !== null && value < min) return `${name} must be at least ${min}.`
  if (max !== undefined && max !== null && value > max) return `${name} must be at most ${max}.`
  return ""
}

function valueOf(text) {
  if (text === "true" || text === "false") return text === "true"
  const value = Number(text)
  return text !== "" && Number.isFinite(value) ? value : text
}

/**
 * Points {time, value} of a list that stands beside bars, newest last. Where a value is not known between two that are,
 * both are transparent: a line across the gap would show values that nobody computed.
 */
export function pointsOf(times, values) {
  const points = []
  let gap = false
  for (const [i, ms] of times.entries()) {
    if (!Number.isFinite(values[i])) {
      gap = points.length > 0
      continue
    }
    const point = { time: ms / 1000, value: values[i] }
    if (gap) {
      points.at(-1).color = "transparent"
      point.color = "transparent"
    }
    points.push(point)
    gap = false
  }
  return points
}
