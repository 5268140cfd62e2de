// The stream as a state machine, free of sockets and clocks: events in, actions out (what `service/socket.js` does).
//
// Each subscription keeps the highest sequence number up to which it is complete, and the epoch of the plant that
// counted it. After a break it asks for what is beyond; the server answers with exactly that, or, where it cannot be
// proved, with a snapshot marked `reset`, which replaces all that was there.

const PAUSES_MS = [500, 1000, 2000, 4000, 8000, 15000]
const SILENT_BEATS = 5 // beats without a word, and the connection counts as dead
const LEAST_SILENCE_MS = 5000
const NO_ANSWER_MS = 10000 // for opening and hello

export const POLICY = 1008
export const RESTART = 1012
export const SLOW = 1013
export const TICKET = 4401
export const QUOTA = 4429

const WHY = {
  [RESTART]: "the service restarts",
  [SLOW]: "this page took what was sent too slowly",
  [TICKET]: "the ticket was not taken",
  [QUOTA]: "too many connections, or too many requests",
  1009: "the service found a message of the page too long",
}

export class Stream {
  /** `random` in [0, 1) spreads reconnects, so that not all pages come back in the same instant. */
  constructor(random = Math.random) {
    this.random = random
    this.state = "idle" // idle, opening, greeting, live, waiting, refused
    this.why = ""
    this.plant = ""
    this.epoch = ""
    this.role = ""
    this.seq = 0 // complete up to
    this.synced = 0
    this.heartbeatMs = 1000
    this.heardAt = 0
    this.retryAt = 0
    this.failures = 0
    this.subscriptions = new Map() // key -> {request, id, sub, seq, epoch, lagged, resuming, error}
    this.nextId = 1
    this.bySub = new Map()
    this.byId = new Map()
  }

  /** Begin, or begin anew with another key. */
  start(nowMs) {
    const actions =
      this.state === "idle" || this.state === "waiting" || this.state === "refused" ? [] : [{ do: "close" }]
    this.failures = 0
    return [...actions, ...this.#open(nowMs)]
  }

  /** Want the rows of a request, {channel, sym, interval, last, ...}; `key` names it to the listener. */
  subscribe(key, request) {
    const actions = this.unsubscribe(key)
    const wanted = { key, request, id: 0, sub: null, seq: null, epoch: "", lagged: false, resuming: false, error: null }
    this.subscriptions.set(key, wanted)
    return this.state === "live" ? [...actions, this.#ask(wanted)] : actions
  }

  unsubscribe(key) {
    const wanted = this.subscriptions.get(key)
    if (!wanted) return []
    this.subscriptions.delete(key)
    this.byId.delete(wanted.id)
    if (wanted.sub === null) return []
    this.bySub.delete(wanted.sub)
    return this.state === "live" ? [{ do: "send", message: { op: "unsubscribe", sub: wanted.sub } }] : []
  }

  /** The socket is open; with a key and no ticket, the first message says who we are. */
  opened(nowMs, key = "") {
    this.heardAt = nowMs
    this.state = "greeting"
    return key ? [{ do: "send", message: { op: "auth", key } }] : []
  }

  /** A message came. Returns actions; {do: "rows"} hands rows on, {do: "told"} says that a subscription or state changed. */
  received(message, nowMs) {
    this.heardAt = nowMs
    const wanted = this.bySub.get(message.sub)
    switch (message.type) {
      case "hello":
        return this.#greeted(message)
      case "subscribed":
        return this.#subscribed(message)
      case "snapshot":
      case "update":
        return wanted ? this.#rows(wanted, message) : []
      case "mark":
        return this.#marked(message)
      case "cue":
        return wanted ? [{ do: "cue", key: wanted.key, chart: message.chart, sym: message.sym, seq: message.seq }] : []
      case "lagged":
        if (wanted) wanted.lagged = true
        return wanted ? [{ do: "told", key: wanted.key }] : []
      case "error":
        return this.#refused(message)
      default:
        return []
    }
  }

  /** The socket is closed, or could not be opened. `hasKey`: whether a key was shown. */
  closed(code, reason, nowMs, hasKey = false) {
    const was = this.state
    if (was === "refused" || was === "idle") return []
    this.#forget()
    if (code === POLICY && was !== "live") {
      this.state = "refused"
      this.why = reason || (hasKey ? "the key was not taken" : "the service wants a key: paste one in the settings")
      return [{ do: "told", key: null }]
    }
    this.failures = code === RESTART ? 0 : this.failures + 1
    const pause = PAUSES_MS[Math.min(this.failures, PAUSES_MS.length) - 1] ?? 250
    this.state = "waiting"
    this.why = WHY[code] ?? reason ?? ""
    this.retryAt = nowMs + pause * (0.5 + this.random())
    return [{ do: "told", key: null }]
  }

  /** The clock moved on: open again, or give up a connection that says nothing. */
  tick(nowMs) {
    if (this.state === "waiting" && nowMs >= this.retryAt) return this.#open(nowMs)
    const patience = this.state === "live" ? Math.max(LEAST_SILENCE_MS, SILENT_BEATS * this.heartbeatMs) : NO_ANSWER_MS
    if (["opening", "greeting", "live"].includes(this.state) && nowMs - this.heardAt > patience) {
      const actions = [
        { do: "close" },
        ...this.closed(1006, `nothing was heard for ${Math.round(patience / 1000)} s`, nowMs),
      ]
      return actions
    }
    return []
  }

  #open(nowMs) {
    this.#forget()
    this.state = "opening"
    this.heardAt = nowMs
    return [{ do: "open" }, { do: "told", key: null }]
  }

  #forget() {
    this.bySub.clear()
    this.byId.clear()
    for (const wanted of this.subscriptions.values()) Object.assign(wanted, { id: 0, sub: null })
  }

  /** Of a new connection; or, on one that is open, of a journal that is another one: the service begins anew by itself. */
  #greeted(message) {
    this.state = "live"
    this.why = ""
    this.failures = 0
    this.plant = message.plant
    this.epoch = message.epoch
    this.role = message.role
    this.heartbeatMs = 1000 * (message.heartbeat_s || 1)
    const wanted = [...this.subscriptions.values()].filter((each) => each.id === 0)
    return [{ do: "told", key: null }, ...wanted.map((each) => this.#ask(each))]
  }

  #ask(wanted) {
    wanted.id = this.nextId++
    wanted.error = null
    this.byId.set(wanted.id, wanted)
    const message = { op: "subscribe", id: wanted.id, ...wanted.request }
    wanted.resuming = wanted.seq !== null
    if (wanted.resuming) {
      message.after = wanted.seq
      message.epoch = wanted.epoch
      delete message.last
    }
    return { do: "send", message }
  }

  #subscribed(message) {
    const wanted = this.byId.get(message.id)
    if (!wanted) return [{ do: "send", message: { op: "unsubscribe", sub: message.sub } }] // given up meanwhile
    this.byId.delete(message.id)
    wanted.sub = message.sub
    this.bySub.set(message.sub, wanted)
    return []
  }

  #rows(wanted, message) {
    const reset = message.type === "snapshot" && message.reset === true
    if (reset || wanted.seq === null || message.seq > wanted.seq) wanted.seq = message.seq
    wanted.epoch = this.epoch
    const lagged = wanted.lagged
    wanted.lagged = false
    const told = lagged ? [{ do: "told", key: wanted.key }] : []
    const live = message.type === "update" && !wanted.resuming && !lagged
    return [{ do: "rows", key: wanted.key, rows: message.rows ?? [], reset, live, seq: message.seq }, ...told]
  }

  #marked(message) {
    this.seq = message.seq
    this.synced = message.synced ?? this.synced
    for (const wanted of this.bySub.values()) {
      wanted.resuming = false
      if (wanted.seq !== null && !wanted.lagged && message.seq > wanted.seq) {
        wanted.seq = message.seq
        wanted.epoch = this.epoch
      }
    }
    return [{ do: "mark", seq: message.seq, synced: this.synced }]
  }

  #refused(message) {
    const wanted = this.byId.get(message.id) ?? this.bySub.get(message.sub)
    if (!wanted) {
      this.why = message.detail ?? ""
      return [{ do: "told", key: null }]
    }
    wanted.error = { code: message.code, detail: message.detail }
    this.byId.delete(message.id)
    return [{ do: "told", key: wanted.key }]
  }
}

/** What a person reads of the connection: {level: good|wait|bad, text}. */
export function connectionText(stream, nowMs) {
  switch (stream.state) {
    case "live":
      return { level: "good", text: "connected" }
    case "waiting": {
      const seconds = Math.max(0, Math.ceil((stream.retryAt - nowMs) / 1000))
      return { level: "bad", text: `connection lost${stream.why ? `: ${stream.why}` : ""}; again in ${seconds} s` }
    }
    case "refused":
      return { level: "bad", text: `refused: ${stream.why}` }
    default:
      return { level: "wait", text: stream.failures ? "connecting again" : "connecting" }
  }
}
