// Places on the axis of times, and indicators as they are chosen and drawn.

import assert from "node:assert/strict"
import { test } from "node:test"

import { daysOf, placeOf, timeAt } from "../../../api/page/model/axis.js"
import { defaultsOf, faultOf, labelOf, parsed, pointsOf, written } from "../../../api/page/model/overlay.js"

const MINUTE = 60_000
const bars = [0, 1, 2, 1000, 1001].map((minute) => ({ ms: minute * MINUTE })) // a night between 2 and 1000

test("bars stand side by side, whatever lies between them", () => {
  const place = (minute) => placeOf(bars, minute * MINUTE, MINUTE)
  assert.deepEqual([0, 1, 1.5, 2, 2.5, 500, 1000, 1001, 1003, -2].map(place), [0, 1, 1.5, 2, 2.5, 3, 3, 4, 6, -2])
  assert.ok(Number.isNaN(placeOf([], 0, MINUTE)))
})

test("a place has the time of its bar, beyond the bars by their length", () => {
  const time = (at) => timeAt(bars, at, MINUTE) / MINUTE
  assert.deepEqual([0, 2.4, 2.6, 4, 6, -1].map(time), [0, 2, 1000, 1001, 1003, -1])
  assert.equal(timeAt([], 1, MINUTE), null)
  for (const bar of bars) assert.equal(timeAt(bars, placeOf(bars, bar.ms, MINUTE), MINUTE), bar.ms)
})

test("days begin at their first bar", () => {
  assert.deepEqual(
    daysOf(bars, (ms) => (ms < 500 * MINUTE ? "a" : "b")),
    [
      { index: 0, day: "a" },
      { index: 3, day: "b" },
    ],
  )
})

test("an indicator is kept as a text and comes back", () => {
  for (const parameters of [{}, { period: 20 }, { fast: 12, slow: 26.5, heikin_ashi: false, input: "close" }]) {
    assert.deepEqual(parsed(written("macd", parameters)), { name: "macd", parameters })
  }
  assert.equal(labelOf("ema:period=20"), "EMA 20")
  assert.equal(labelOf("true_range"), "TRUE RANGE")
})

test("parameters begin with their defaults and are held to their bounds", () => {
  const entry = { parameters: { period: { type: "int", default: 14, min: 1, max: 5000 }, other: { type: "float" } } }
  assert.deepEqual(defaultsOf(entry), { period: 14 })
  const fault = (value) => faultOf("period", value, entry.parameters.period)
  assert.deepEqual([14, 1.5, 0, 5001, NaN].map(fault), [
    "",
    "period must be a whole number.",
    "period must be at least 1.",
    "period must be at most 5000.",
    "period must be a whole number.",
  ])
})

test("no line goes across bars without a value", () => {
  assert.deepEqual(pointsOf([1000, 2000, 3000, 4000, 5000], [null, 1, null, 3, 4]), [
    { time: 2, value: 1, color: "transparent" },
    { time: 4, value: 3, color: "transparent" },
    { time: 5, value: 4 },
  ])
  assert.deepEqual(pointsOf([1000, 2000], [1, null]), [{ time: 1, value: 1 }])
})
