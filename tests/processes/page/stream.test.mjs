// The stream's state machine against a plain model of the service: cut at random, resumed, reset.

import assert from "node:assert/strict"
import { test } from "node:test"

import { connectionText, POLICY, RESTART, Stream, TICKET } from "../../../api/page/model/stream.js"

const SEED = Number(process.env.TICKPLANT_SEED ?? 20261120)

function chance(seed) {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state ^ (state >>> 15), state | 1) + 0x6d2b79f5) >>> 0
    return (state >>> 8) / 2 ** 24
  }
}

const sent = (actions) => actions.filter((action) => action.do === "send").map((action) => action.message)
const rows = (actions) => actions.filter((action) => action.do === "rows")
const hello = (epoch = "e1") => ({ type: "hello", plant: "main", epoch, seq: 10, role: "read", heartbeat_s: 1 })

function live(stream, nowMs = 0, epoch = "e1") {
  stream.start(nowMs)
  stream.opened(nowMs)
  return stream.received(hello(epoch), nowMs)
}

test("a subscription made before the connection is asked for after hello, with last", () => {
  const stream = new Stream()
  assert.deepEqual(stream.subscribe("a", { channel: "bars", sym: ["A"], interval: "2m", last: 500 }), [])
  const [asked] = sent(live(stream))
  assert.deepEqual(asked, { op: "subscribe", id: 1, channel: "bars", sym: ["A"], interval: "2m", last: 500 })
})

test("the key is the first message where there is no ticket", () => {
  const stream = new Stream()
  stream.start(0)
  assert.deepEqual(sent(stream.opened(0, "tp_x")), [{ op: "auth", key: "tp_x" }])
  assert.deepEqual(sent(stream.opened(0)), [])
})

test("after a break it asks for what is beyond the highest update or mark, with the epoch", () => {
  const stream = new Stream()
  stream.subscribe("a", { channel: "trades", sym: ["A"], last: 5 })
  live(stream)
  stream.received({ type: "subscribed", id: 1, sub: 7 }, 0)
  stream.received({ type: "snapshot", sub: 7, seq: 20, rows: [], reset: true }, 0)
  stream.received({ type: "update", sub: 7, seq: 25, rows: [] }, 0)
  stream.received({ type: "mark", seq: 40, synced: 30 }, 0)
  stream.closed(1006, "", 100)
  assert.equal(stream.state, "waiting")
  assert.equal(stream.tick(100).length, 0, "not before its time")
  assert.deepEqual(stream.tick(60_000)[0], { do: "open" })
  stream.opened(60_000)
  const [asked] = sent(stream.received(hello(), 60_000))
  assert.deepEqual(asked, { op: "subscribe", id: 2, channel: "trades", sym: ["A"], after: 40, epoch: "e1" })
})

test("cut off before its first snapshot it asks for it again, and not for what is beyond nothing", () => {
  const stream = new Stream()
  stream.subscribe("a", { channel: "trades", last: 5 })
  live(stream)
  stream.received({ type: "subscribed", id: 1, sub: 7 }, 0)
  stream.received({ type: "mark", seq: 40 }, 0) // of the others: nothing of this one has come
  stream.closed(1006, "", 0)
  stream.tick(60_000)
  stream.opened(60_000)
  const [asked] = sent(stream.received(hello(), 60_000))
  assert.equal(asked.last, 5)
  assert.equal(asked.after, undefined)
})

test("another plant's snapshot takes the place of everything, also if its numbers are lower", () => {
  const stream = new Stream()
  stream.subscribe("a", { channel: "trades", last: 5 })
  live(stream)
  stream.received({ type: "subscribed", id: 1, sub: 7 }, 0)
  stream.received({ type: "snapshot", sub: 7, seq: 90, rows: [1], reset: true }, 0)
  stream.closed(1006, "", 0)
  stream.tick(60_000)
  stream.opened(60_000)
  assert.equal(sent(stream.received(hello("e2"), 60_000))[0].epoch, "e1", "the epoch that counted 90")
  stream.received({ type: "subscribed", id: 2, sub: 1 }, 60_000)
  const [told] = rows(stream.received({ type: "snapshot", sub: 1, seq: 4, rows: [2], reset: true }, 60_000))
  assert.deepEqual(told, { do: "rows", key: "a", rows: [2], reset: true, live: false, seq: 4 })
  assert.equal(stream.subscriptions.get("a").seq, 4)
  assert.equal(stream.subscriptions.get("a").epoch, "e2")
})

test("a second hello is of another journal: the service begins anew by itself, and nothing is asked twice", () => {
  const stream = new Stream()
  stream.subscribe("a", { channel: "trades", last: 5 })
  live(stream)
  stream.received({ type: "subscribed", id: 1, sub: 7 }, 0)
  stream.received({ type: "snapshot", sub: 7, seq: 90, rows: [1], reset: true }, 0)
  assert.deepEqual(sent(stream.received(hello("e2"), 0)), [])
  stream.received({ type: "snapshot", sub: 7, seq: 4, rows: [2], reset: true }, 0)
  assert.deepEqual([stream.subscriptions.get("a").seq, stream.subscriptions.get("a").epoch], [4, "e2"])
})

test("rows are of this moment once what was missed has come", () => {
  const stream = new Stream()
  stream.subscribe("a", { channel: "trades", last: 5 })
  live(stream)
  stream.received({ type: "subscribed", id: 1, sub: 7 }, 0)
  stream.received({ type: "snapshot", sub: 7, seq: 20, rows: [], reset: true }, 0)
  const update = (sub, seq) => rows(stream.received({ type: "update", sub, seq, rows: [1] }, 0))[0].live
  assert.equal(update(7, 21), true)
  stream.closed(1006, "", 0)
  stream.tick(60_000)
  stream.opened(60_000)
  stream.received(hello(), 60_000)
  stream.received({ type: "subscribed", id: 2, sub: 1 }, 60_000)
  assert.equal(update(1, 30), false)
  stream.received({ type: "mark", seq: 30 }, 60_000)
  assert.equal(update(1, 31), true)
})

test("while it lags a mark does not count as complete", () => {
  const stream = new Stream()
  stream.subscribe("a", { channel: "trades", last: 5 })
  live(stream)
  stream.received({ type: "subscribed", id: 1, sub: 7 }, 0)
  stream.received({ type: "snapshot", sub: 7, seq: 20, rows: [], reset: true }, 0)
  stream.received({ type: "lagged", sub: 7, from: 21 }, 0)
  stream.received({ type: "mark", seq: 40 }, 0)
  assert.equal(stream.subscriptions.get("a").seq, 20)
})

test("silence is a broken connection", () => {
  const stream = new Stream()
  live(stream)
  assert.deepEqual(stream.tick(4_900), [])
  const actions = stream.tick(5_100)
  assert.equal(actions[0].do, "close")
  assert.equal(stream.state, "waiting")
  assert.match(connectionText(stream, 5_100).text, /nothing was heard for 5 s/)
})

test("who is refused waits for another key, who is restarted comes back at once", () => {
  const stream = new Stream(() => 0.5)
  stream.start(0)
  stream.opened(0)
  stream.closed(POLICY, "", 0)
  assert.equal(stream.state, "refused")
  assert.deepEqual(stream.tick(1e9), [])
  assert.match(connectionText(stream, 0).text, /paste one in the settings/)
  live(stream)
  stream.closed(RESTART, "", 1000)
  assert.deepEqual(stream.tick(1300)[0], { do: "open" })
})

test("pauses grow and are capped", () => {
  const stream = new Stream(() => 0.5)
  stream.start(0)
  const pauses = []
  for (let i = 0; i < 9; i += 1) {
    stream.closed(TICKET, "", 0)
    pauses.push(stream.retryAt)
    stream.tick(stream.retryAt)
  }
  assert.deepEqual(pauses, [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000, 15000])
})

test("a refused subscription says why, and the others go on", () => {
  const stream = new Stream()
  stream.subscribe("a", { channel: "nonsense" })
  live(stream)
  assert.deepEqual(stream.received({ type: "error", id: 1, code: "unknown_channel", detail: "no such" }, 0), [
    { do: "told", key: "a" },
  ])
  assert.deepEqual(stream.subscriptions.get("a").error, { code: "unknown_channel", detail: "no such" })
  assert.equal(stream.state, "live")
})

test("one that was given up before its answer is given back, and its rows go nowhere", () => {
  const stream = new Stream()
  stream.subscribe("a", { channel: "trades" })
  live(stream)
  stream.unsubscribe("a")
  assert.deepEqual(sent(stream.received({ type: "subscribed", id: 1, sub: 7 }, 0)), [{ op: "unsubscribe", sub: 7 }])
  assert.deepEqual(stream.received({ type: "update", sub: 7, seq: 30, rows: [1] }, 0), [])
})

test("cut off at random, it holds the rows of the plant exactly", () => {
  console.log(`TICKPLANT_SEED=${SEED}`)
  for (let round = 0; round < 200; round += 1) {
    const random = chance(SEED + round)
    const journal = [] // {seq, row}
    const stream = new Stream(random)
    const held = []
    stream.subscribe("a", { channel: "trades", sym: ["A"], last: 1000 })
    let now = 0
    let sub = 0
    let position = 0 // of the server's side of the connection
    const take = (actions) => {
      for (const action of actions) {
        if (action.do === "rows") {
          if (action.reset) held.length = 0
          held.push(...action.rows)
        }
        if (action.do === "send" && action.message.op === "subscribe") {
          const { after, epoch, id } = action.message
          sub += 1
          const proven = after !== undefined && epoch === "e1"
          const from = proven ? after : 0
          take(stream.received({ type: "subscribed", id, sub }, now))
          position = journal.length
          const some = journal.filter((entry) => entry.seq > from).map((entry) => entry.row)
          if (random() < 0.8)
            take(stream.received({ type: "snapshot", sub, seq: position, rows: some, reset: !proven }, now))
          else position = -1 // cut off before the answer
        }
      }
    }
    take(stream.start(now))
    for (let step = 0; step < 120; step += 1) {
      now += Math.floor(random() * 4000)
      const what = random()
      if (what < 0.5) journal.push({ seq: journal.length + 1, row: `row ${journal.length}` })
      if (stream.state === "opening" && random() < 0.7) {
        stream.opened(now)
        take(stream.received(hello(), now))
      } else if (stream.state === "live" && position >= 0 && random() < 0.6) {
        while (position < journal.length && random() < 0.8) {
          take(stream.received({ type: "update", sub, seq: journal[position].seq, rows: [journal[position].row] }, now))
          position += 1
        }
        if (random() < 0.3 && position === journal.length) take(stream.received({ type: "mark", seq: position }, now))
      } else if (random() < 0.2) {
        take(stream.closed(1006, "", now))
      }
      take(stream.tick(now))
    }
    while (stream.state !== "live" || position < 0) {
      now += 20_000
      take(stream.closed(1006, "", now))
      now += 20_000
      take(stream.tick(now))
      stream.opened(now)
      take(stream.received(hello(), now))
    }
    for (; position < journal.length; position += 1) {
      take(stream.received({ type: "update", sub, seq: journal[position].seq, rows: [journal[position].row] }, now))
    }
    assert.deepEqual(
      held,
      journal.map((entry) => entry.row),
      `round ${round}`,
    )
  }
})
