// Numbers as a person reads them. What is not known is a dash, never a 0.

export const DASH = "–"
const MOST_DIGITS = 8

/** How many digits prices are shown with: at least 2, at most 8, as many as nine in ten of the values need. */
export function digitsOf(values) {
  const needed = values.filter((value) => Number.isFinite(value) && value !== 0).map(digitsNeeded)
  needed.sort((a, b) => a - b)
  return needed[Math.ceil(0.9 * needed.length) - 1] ?? 2
}

function digitsNeeded(value) {
  let digits = 2
  while (digits < MOST_DIGITS && Math.abs(value - Number(value.toFixed(digits))) > 1e-6 * Math.abs(value)) digits += 1
  return digits
}

/** A price with so many digits. */
export function priceText(value, digits = 2) {
  return Number.isFinite(value) ? value.toFixed(digits) : DASH
}

/** A change as a signed per cent: 0.0123 is "+1.23 %". */
export function changeText(fraction) {
  if (!Number.isFinite(fraction)) return DASH
  const text = (fraction * 100).toFixed(2)
  return `${Number(text) > 0 ? "+" : ""}${Number(text) === 0 ? "0.00" : text.replace("-", "−")} %`
}

/** A quantity: as many digits as it has, groups of three. */
export function quantityText(value) {
  return Number.isFinite(value) ? value.toLocaleString("en-US", { maximumFractionDigits: MOST_DIGITS }) : DASH
}

/** Money, signed if `signed`: "+1,234.50". */
export function moneyText(value, signed = false) {
  if (!Number.isFinite(value)) return DASH
  const text = Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })
  const sign = text === "0.00" ? "" : value < 0 ? "−" : signed ? "+" : ""
  return sign + text
}

/** A volume in few characters: 1234567 is "1.23M". */
export function volumeText(value) {
  if (!Number.isFinite(value)) return DASH
  for (const [size, unit] of [
    [1e9, "B"],
    [1e6, "M"],
    [1e3, "K"],
  ]) {
    if (Math.abs(value) >= size) return `${(value / size).toFixed(2)}${unit}`
  }
  return quantityText(value)
}

/** What a person typed as a number that is greater than 0; null if it is empty, NaN if it is none. */
export function typed(text) {
  const plain = String(text).trim().replaceAll(",", "")
  if (plain === "") return null
  const value = Number(plain)
  return Number.isFinite(value) && value > 0 ? value : NaN
}
