// Times, numbers, bars, annotations, geometry, what is said of prices, the ticket, and what is remembered.

import assert from "node:assert/strict"
import { test } from "node:test"

import { Annotations, bodyOf, groupOf, whyFixed } from "../../../api/page/model/annotations.js"
import { Bars, trendOf } from "../../../api/page/model/bars.js"
import { DEFAULTS, key, keepKey, load, resized, save } from "../../../api/page/model/choices.js"
import { drawn, dragged, partAt } from "../../../api/page/model/geometry.js"
import { delayOf, freshnessOf, kindOf, noticesOf } from "../../../api/page/model/honesty.js"
import {
  changeText,
  digitsOf,
  moneyText,
  priceText,
  quantityText,
  typed,
  volumeText,
} from "../../../api/page/model/numbers.js"
import { Ticket } from "../../../api/page/model/ticket.js"
import {
  ageText,
  clockText,
  dayOf,
  intervalMs,
  isZone,
  msOf,
  stampText,
  tickText,
} from "../../../api/page/model/times.js"

const OPEN = Date.parse("2026-11-20T14:30:00Z")
const MINUTE = 60_000

test("times come as RFC 3339 with any digits, or as ms, and are shown in a zone", () => {
  assert.equal(msOf("2026-11-20T14:30:00Z"), OPEN)
  assert.equal(msOf("2026-11-20T14:30:00.123456789Z"), OPEN + 123)
  assert.equal(msOf(OPEN), OPEN)
  assert.equal(msOf(null), null)
  assert.equal(msOf("soon"), null)
  assert.equal(clockText(OPEN, "America/New_York"), "09:30")
  assert.equal(clockText(Date.parse("2026-07-20T13:30:00Z"), "America/New_York"), "09:30", "in summer time")
  assert.equal(dayOf(Date.parse("2026-11-20T02:00:00Z"), "America/New_York"), "2026-11-19")
  assert.equal(stampText(OPEN, "UTC"), "Fri 2026-11-20 14:30")
  assert.equal(stampText(OPEN, "UTC", "1d"), "Fri 2026-11-20")
  assert.deepEqual(
    [0, 1, 2, 3].map((weight) => tickText(OPEN, weight, "UTC")),
    ["2026", "Nov", "20 Nov", "14:30"],
  )
  assert.ok(isZone("America/New_York"))
  assert.ok(!isZone("Mars/Olympus"))
})

test("lengths of bars and ages", () => {
  assert.deepEqual(["2m", "1h", "1d"].map(intervalMs), [120_000, 3_600_000, 86_400_000])
  assert.ok(Number.isNaN(intervalMs("60")))
  assert.deepEqual([400, 75_000, 7_300_000, 200_000_000].map(ageText), ["0 s", "1 min 15 s", "2 h 1 min", "2 d 7 h"])
})

test("numbers that are not known are a dash, and never 0", () => {
  for (const text of [
    priceText(NaN),
    priceText(null),
    changeText(undefined),
    quantityText(NaN),
    moneyText(null),
    volumeText(NaN),
  ]) {
    assert.equal(text, "–")
  }
})

test("prices have as many digits as they need", () => {
  assert.equal(digitsOf([242, 241.5]), 2)
  assert.equal(digitsOf([1.09689]), 5)
  assert.equal(digitsOf([0.1 + 0.2]), 2)
  assert.equal(digitsOf([...Array(19).fill(170.25), 170.3125]), 2, "a few fills between cents")
  assert.equal(changeText(0.0123), "+1.23 %")
  assert.equal(changeText(-0.0123), "−1.23 %")
  assert.equal(changeText(-0.000001), "0.00 %")
  assert.equal(moneyText(-1234.5, true), "−1,234.50")
  assert.equal(volumeText(1_234_567), "1.23M")
  assert.deepEqual([typed("1,000.5"), typed(""), typed("0"), typed("x")], [1000.5, null, NaN, NaN])
})

const row = (minute, close, more = {}) => ({
  time: OPEN + minute * MINUTE,
  open: close,
  high: close + 1,
  low: close - 1,
  close,
  volume: 5,
  source: "finazon",
  ...more,
})

test("a row replaces the bar of its time, a late one goes between", () => {
  const bars = new Bars()
  assert.equal(bars.take([row(0, 10), row(2, 12)], true), "all")
  assert.equal(bars.take([row(2, 13)])[0].close, 13)
  assert.equal(bars.take([row(3, 14)]).length, 1)
  assert.equal(bars.take([row(1, 11)]), "all")
  assert.deepEqual(
    bars.list.map((bar) => bar.close),
    [10, 11, 13, 14],
  )
  assert.equal(bars.at(OPEN + MINUTE).close, 11)
  assert.equal(bars.at(OPEN + 1), null)
  assert.equal(bars.prepend([row(-2, 8), row(-1, 9), row(0, 99)]), 2)
  assert.equal(bars.list[0].close, 8)
  assert.equal(bars.at(OPEN).close, 10, "what was there is not overwritten by history")
})

test("a bar with a price that is not known is no bar", () => {
  const bars = new Bars()
  bars.take([row(0, 10), { ...row(1, 11), high: null }], true)
  assert.equal(bars.list.length, 1)
})

test("only so many bars are kept", () => {
  const bars = new Bars(10)
  bars.take(
    Array.from({ length: 10 }, (_, i) => row(i, 10)),
    true,
  )
  assert.equal(bars.take([row(10, 10)]), "all")
  assert.equal(bars.list.length, 10)
})

test("a trend needs twenty bars", () => {
  const rising = Array.from({ length: 20 }, (_, i) => ({ close: 100 + i }))
  assert.equal(trendOf(rising.slice(1)), null)
  assert.equal(trendOf(rising), "up")
  assert.equal(trendOf([...rising].reverse()), "down")
  assert.equal(trendOf(rising.map(() => ({ close: 100 }))), "flat")
})

const event = (id, version, more = {}) => ({
  id,
  version,
  action: version === 1 ? "create" : "update",
  sym: "AAPL",
  kind: "zone",
  type: "user",
  interval: "",
  start_at: "2026-11-20T14:30:00Z",
  end_at: null,
  price: null,
  price_end: null,
  top: 12,
  bottom: 10,
  state: "active",
  source: "user:me",
  text: "",
  style: "",
  ...more,
})

test("the newest version of an annotation counts, in any order, and a deleted one stays so", () => {
  const fold = new Annotations()
  fold.take([event("a", 1), event("a", 2, { top: 13 })], true)
  assert.deepEqual([...fold.take([event("a", 2, { top: 99 }), event("a", 1)])], [])
  assert.equal(fold.get("a").top, 13)
  assert.equal(fold.get("a").start_at, OPEN)
  fold.take([event("a", 3, { action: "delete" })])
  assert.equal(fold.get("a"), null)
  fold.take([event("a", 2)])
  assert.equal(fold.get("a"), null)
  fold.take([event("b", 1)], true)
  assert.deepEqual(
    fold.shown("AAPL", "5m").map((object) => object.id),
    ["b"],
  )
  assert.deepEqual(fold.shown("TSLA", "5m"), [])
})

test("a pivot is on the chart of its bars only, a level on all, what is hidden on none", () => {
  const fold = new Annotations()
  fold.take([
    event("p", 1, { source: "auto", kind: "pivot", type: "pivot_high", interval: "5m" }),
    event("l", 1, { source: "auto", kind: "level", type: "day_level", interval: "15m" }),
    event("x", 1, { source: "auto", kind: "level", type: "day_level", interval: "15m", state: "expired" }),
  ])
  assert.deepEqual(
    fold.shown("AAPL", "5m").map((object) => object.id),
    ["p", "l"],
  )
  assert.deepEqual(
    fold.shown("AAPL", "2m").map((object) => object.id),
    ["l"],
  )
  assert.deepEqual(fold.shown("AAPL", "2m", new Set(["day levels"])), [])
  assert.equal(groupOf({ source: "auto", type: "prev_day_high" }), "previous day and week")
})

test("an automatic one says why it cannot be moved, a drawn one can", () => {
  assert.match(
    whyFixed(event("a", 1, { source: "auto", type: "prev_day_high" })),
    /“prev day high” was found by the plant/,
  )
  assert.match(whyFixed(event("a", 1, { source: "strategy:cross" })), /strategy cross/)
  assert.equal(whyFixed(event("a", 1)), "")
})

test("what is sent of an object is what its kind has", () => {
  const fold = new Annotations()
  fold.take([event("a", 1)])
  assert.deepEqual(bodyOf(fold.get("a")), {
    sym: "AAPL",
    kind: "zone",
    top: 12,
    bottom: 10,
    start_at: "2026-11-20T14:30:00.000Z",
  })
})

test("a zone is taken at its edges and inside, a line at its ends and along it", () => {
  const zone = { kind: "zone" }
  const place = { x: 100, x2: 200, y: 50, y2: 90 }
  const parts = [
    [150, 50],
    [150, 90],
    [100, 70],
    [200, 70],
    [150, 70],
    [20, 70],
    [150, 120],
  ]
  assert.deepEqual(
    parts.map(([x, y]) => partAt(zone, place, { x, y }, 500)),
    ["top", "bottom", "start", "end", "body", null, null],
  )
  assert.equal(partAt(zone, { ...place, x2: null }, { x: 499, y: 70 }, 500), "body", "open: to the right end")
  const line = { x: 0, y: 0, x2: 100, y2: 100 }
  assert.deepEqual(
    [
      [0, 0],
      [100, 100],
      [50, 52],
      [50, 70],
    ].map(([x, y]) => partAt({ kind: "line" }, line, { x, y }, 500)),
    ["start", "end", "body", null],
  )
})

test("dragging keeps the top above the bottom, the start before the end, and prices on ticks above 0", () => {
  const zone = { kind: "zone", start_at: OPEN, end_at: OPEN + 10 * MINUTE, top: 12, bottom: 10 }
  const from = { ms: OPEN, price: 10 }
  assert.deepEqual(dragged(zone, "body", from, { ms: OPEN + MINUTE, price: 11.004 }).top, 13)
  assert.equal(dragged(zone, "bottom", from, { ms: OPEN, price: 15 }).bottom, 11.99)
  assert.equal(dragged(zone, "top", { ms: OPEN, price: 12 }, { ms: OPEN, price: 1 }).top, 10.01)
  assert.equal(dragged(zone, "start", from, { ms: OPEN + 60 * MINUTE, price: 10 }).start_at, OPEN + 10 * MINUTE)
  assert.equal(
    dragged({ kind: "level", price: 3, start_at: OPEN, end_at: null }, "body", from, { ms: OPEN, price: -50 }).price,
    0.01,
  )
  for (let i = 0; i < 500; i += 1) {
    const to = { ms: OPEN + Math.round((Math.random() - 0.5) * 1e7), price: (Math.random() - 0.5) * 60 }
    for (const part of ["top", "bottom", "start", "end", "body"]) {
      const next = dragged(zone, part, from, to)
      assert.ok(
        next.top > next.bottom && next.bottom > 0 && next.start_at <= next.end_at,
        JSON.stringify({ part, to, next }),
      )
    }
  }
})

test("a zone is drawn from any corner, a line from its earlier end", () => {
  const [a, b] = [
    { ms: OPEN + MINUTE, price: 10 },
    { ms: OPEN, price: 12 },
  ]
  const zone = drawn("zone", "AAPL", a, b)
  assert.deepEqual([zone.start_at, zone.end_at, zone.top, zone.bottom], [OPEN, OPEN + MINUTE, 12, 10])
  const line = drawn("line", "AAPL", a, b)
  assert.deepEqual([line.start_at, line.price, line.end_at, line.price_end], [OPEN, 12, OPEN + MINUTE, 10])
  assert.equal(drawn("level", "AAPL", a, a).price, 10)
})

test("made-up, replayed and delayed prices have their word, live ones none", () => {
  const sources = [
    "simulated",
    "built:simulated",
    "recorded",
    "built:replayed",
    "delayed_sip",
    "finazon",
    "built:polygon",
  ]
  assert.deepEqual(
    sources.map((source) => kindOf(source)),
    ["simulated", "simulated", "replayed", "replayed", "delayed", "", ""],
  )
  assert.equal(kindOf("nyse", { nyse: "recorded" }), "replayed", "a recording under a name of its own")
})

test("what stands still says so", () => {
  const bar = { ms: OPEN, received: OPEN + MINUTE, source: "finazon" }
  const at = (minutes) => freshnessOf(bar, "1m", OPEN + minutes * MINUTE).level
  assert.deepEqual([1, 2, 3, 10].map(at), ["live", "live", "late", "stale"])
  assert.deepEqual(
    noticesOf(bar, "1m", OPEN + 60 * MINUTE).map((notice) => notice.word),
    ["STALE"],
  )
  assert.deepEqual(noticesOf(bar, "1m", OPEN + MINUTE), [])
  assert.deepEqual(
    noticesOf(bar, "1m", OPEN + MINUTE, { connected: false }).map((notice) => notice.word),
    ["NOT CONNECTED"],
  )
  const late = { ms: OPEN, received: OPEN + 16 * MINUTE, source: "tradier" }
  assert.equal(delayOf(late, "1m"), 15 * MINUTE)
  assert.deepEqual(
    noticesOf(late, "1m", OPEN + 16 * MINUTE).map((notice) => notice.word),
    ["DELAYED"],
  )
  assert.deepEqual(noticesOf(null, "1m", OPEN), [])
})

function ticket(fields = {}) {
  const made = new Ticket()
  for (const [name, value] of Object.entries({ sym: "AAPL", qty: "10", ...fields })) made.set(name, value)
  return made
}

test("nothing is sent that is not armed, and an armed ticket is sent once", () => {
  const order = ticket()
  assert.equal(order.send("buy", 0, "k"), null)
  assert.deepEqual(order.arm(0), [])
  assert.deepEqual(order.send("buy", 1000, "k"), {
    side: "buy",
    key: "k",
    body: { sym: "AAPL", side: "buy", type: "market", qty: 10, time_in_force: "day" },
  })
  assert.equal(order.send("buy", 1000, "k2"), null, "not twice")
  assert.notDeepEqual(order.arm(1000), [], "not while the answer is not known")
  order.answered()
  assert.deepEqual(order.arm(1000), [])
  assert.equal(order.send("sell", 1000 + 30_001, "k3"), null, "it was armed for 30 s")
})

test("what is changed after arming has to be armed again", () => {
  for (const [name, value] of [
    ["qty", "11"],
    ["sym", "TSLA"],
    ["type", "limit"],
    ["stop_loss", "1"],
    ["account", "swing-1"],
  ]) {
    const order = ticket()
    order.arm(0)
    order.set(name, value)
    assert.ok(!order.isArmed(1), name)
  }
  const order = ticket()
  order.arm(0)
  order.setMode("live")
  assert.ok(!order.isArmed(1), "live is not armed by what was armed on paper")
  order.arm(0)
  assert.ok(!order.isArmed(10_001), "and for a shorter time")
})

test("a ticket says what is wrong with it", () => {
  assert.deepEqual(ticket({ qty: "" }).problems(""), ["Quantity is missing."])
  assert.match(ticket({ qty: "-3" }).problems("")[0], /above 0, found “-3”/)
  assert.deepEqual(ticket({ type: "limit" }).problems(""), ["Limit price is missing."])
  const order = ticket({ stop_loss: "101" })
  order.last = 100
  assert.match(order.problems("buy")[0], /below 100.00 to buy/)
  assert.deepEqual(order.problems("sell"), [])
  order.halted = "Trading is halted."
  assert.deepEqual(order.problems("sell"), ["Trading is halted."])
})

test("an order has the prices of its type, and no others", () => {
  const order = ticket({ type: "market", limit_price: "5", stop_price: "4", stop_loss: "3", account: "paper" })
  assert.deepEqual(order.body("buy"), {
    sym: "AAPL",
    side: "buy",
    type: "market",
    qty: 10,
    time_in_force: "day",
    account: "paper",
    stop_loss: 3,
  })
  order.set("type", "limit")
  assert.equal(order.body("buy").limit_price, 5)
  assert.equal(order.sentence("buy"), "BUY 10 AAPL limit 5")
})

function storage(values = {}) {
  const kept = new Map(Object.entries(values))
  return {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => kept.set(name, value),
    removeItem: (name) => kept.delete(name),
  }
}

test("choices come back, and what is damaged counts as not chosen", () => {
  const browser = storage()
  save(browser, { ...DEFAULTS, sym: "TSLA", widths: [2, 1, 1] })
  assert.equal(load(browser).sym, "TSLA")
  assert.deepEqual(load(storage({ "tickplant.choices": "{nonsense" })), DEFAULTS)
  assert.deepEqual(load(storage({ "tickplant.choices": '{"widths":["a"],"sym":3,"foreign":1}' })), DEFAULTS)
  keepKey(browser, "tp_x")
  assert.equal(key(browser), "tp_x")
  keepKey(browser, "")
  assert.equal(key(browser), "")
})

test("a border moves between its two charts, and none vanishes", () => {
  assert.deepEqual(
    resized([1, 1, 1], 0, 0.1).map((width) => Math.round(width * 10) / 10),
    [1.3, 0.7, 1],
  )
  assert.deepEqual(
    resized([1, 1, 1], 1, 5).map((width) => Math.round(width * 10) / 10),
    [1, 1.7, 0.3],
  )
})
