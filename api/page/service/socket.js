// The one WebSocket of the page: does what `model/stream.js` decides, and hands on what comes.

import { POLICY, Stream } from "../model/stream.js"
import { BASE } from "./client.js"

const LOOK_MS = 250

export class Socket {
  /** `told(key)` is called when the connection (null) or a subscription changed, `marked()` at each mark. */
  constructor(service, { told, marked }) {
    this.service = service
    this.stream = new Stream()
    this.told = told
    this.marked = marked
    this.listeners = new Map()
    this.socket = null
    this.attempt = 0
    setInterval(() => this.#do(this.stream.tick(Date.now())), LOOK_MS)
  }

  start() {
    this.#do(this.stream.start(Date.now()))
  }

  /** Rows of a subscription go to `take(rows, reset, live)`, `live`: they happened just now; cues to `cue(message)`. */
  subscribe(key, request, take, cue = null) {
    this.listeners.set(key, { take, cue })
    this.#do(this.stream.subscribe(key, request))
  }

  unsubscribe(key) {
    this.listeners.delete(key)
    this.#do(this.stream.unsubscribe(key))
  }

  #do(actions) {
    for (const action of actions) {
      if (action.do === "open") this.#open()
      else if (action.do === "close") this.#drop()
      else if (action.do === "send")
        this.socket?.readyState === WebSocket.OPEN && this.socket.send(JSON.stringify(action.message))
      else if (action.do === "rows") this.listeners.get(action.key)?.take(action.rows, action.reset, action.live)
      else if (action.do === "cue") this.listeners.get(action.key)?.cue?.(action)
      else if (action.do === "mark") this.marked()
      else this.told(action.key)
    }
  }

  async #open() {
    const attempt = ++this.attempt
    let ticket = ""
    if (this.service.key) {
      try {
        ticket = (await this.service.change("POST", "/ws-tickets", {})).ticket
      } catch (error) {
        const refused = error.status === 401 || error.status === 403
        if (attempt === this.attempt)
          this.#do(this.stream.closed(refused ? POLICY : 1006, error.message, Date.now(), true))
        return
      }
    }
    if (attempt !== this.attempt) return // another one was begun meanwhile
    const address = new URL(`${BASE}/ws`, location.href)
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:"
    if (ticket) address.searchParams.set("ticket", ticket)
    const socket = new WebSocket(address)
    this.socket = socket
    const mine = () => socket === this.socket
    socket.onopen = () => mine() && this.#do(this.stream.opened(Date.now()))
    socket.onmessage = (event) => mine() && this.#do(this.stream.received(JSON.parse(event.data), Date.now()))
    socket.onclose = (event) => {
      if (!mine()) return
      this.socket = null
      this.#do(this.stream.closed(event.code, event.reason, Date.now(), Boolean(this.service.key)))
    }
  }

  #drop() {
    this.attempt += 1
    const socket = this.socket
    this.socket = null
    socket?.close()
  }
}
