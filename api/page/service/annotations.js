// What is drawn: created, moved, deleted and copied through the service; the stream brings back what counts.

import { Annotations, bodyOf, isAutomatic, nameOf, whyFixed } from "../model/annotations.js"
import { Refusal, sentenceOf } from "./client.js"

export class AnnotationDesk {
  constructor(app) {
    this.app = app
    this.fold = new Annotations()
    this.sym = ""
  }

  /** Follow those of a symbol. */
  follow(sym) {
    if (sym === this.sym) return
    this.sym = sym
    this.fold = new Annotations()
    if (!sym) return this.app.socket.unsubscribe("annotations")
    this.app.socket.subscribe("annotations", { channel: "annotations", sym: [sym] }, (rows, reset) =>
      this.#take(rows, reset),
    )
  }

  #take(rows, reset = false) {
    this.fold.take(rows, reset)
    this.app.annotationsChanged()
  }

  get(id) {
    return this.fold.get(id)
  }

  /** Create a drawn object, and choose it. */
  async create(object) {
    await this.#try(async () => {
      const made = await this.app.service.change("POST", "/annotations", bodyOf(object))
      this.#taken(made)
      this.app.choose(this.#row(made).id)
    })
  }

  /** Send an object as it was moved; it is shown where it was again if the service refuses. */
  async move(object, next) {
    const why = whyFixed(object)
    if (why) return this.app.toast("bad", why)
    const { id, version } = object
    const before = this.fold.get(id)
    this.fold.objects.set(id, next) // at once where it was dropped; the answer has the version
    this.app.annotationsChanged()
    await this.#try(
      () => this.#patch(id, version, bodyOf(next)),
      () => before && this.fold.get(id)?.version === version && this.fold.objects.set(id, before),
    )
  }

  /** Give an object another label. */
  async label(object, text) {
    if (text !== object.text) await this.#try(() => this.#patch(object.id, object.version, { text }))
  }

  async #patch(id, version, body) {
    const { sym, kind, ...changes } = body // neither changes, ever
    this.#taken(await this.app.service.change("PATCH", `/annotations/${encodeURIComponent(id)}`, changes, { version }))
  }

  async remove(object) {
    await this.#try(async () => {
      await this.app.service.change("DELETE", `/annotations/${encodeURIComponent(object.id)}`, undefined, {
        version: object.version,
      })
      this.#take([{ ...object, version: object.version + 1, action: "delete" }])
      this.app.choose(null)
      this.app.toast(
        "note",
        `Deleted: ${nameOf(object)}.${isAutomatic(object) ? " The plant will not draw it again." : ""}`,
      )
    })
  }

  /** A copy of one that cannot be moved; the copy can. */
  async copy(object) {
    const kind = { flag: "line", pivot: "marker" }[object.kind] ?? object.kind
    await this.create({ ...object, kind, text: nameOf(object) })
  }

  #row(answer) {
    return answer.annotation ?? answer.object ?? answer
  }

  #taken(answer) {
    const row = this.#row(answer)
    if (row?.id) this.#take([{ ...this.fold.get(row.id), action: "update", ...row }])
  }

  async #try(change, undo = () => {}) {
    try {
      await change()
    } catch (error) {
      undo()
      this.app.annotationsChanged()
      const changed = error instanceof Refusal && error.code === "version_conflict"
      this.app.toast(
        "bad",
        changed ? `Somebody else changed it meanwhile; it is shown as it is now. ${error.message}` : sentenceOf(error),
      )
    }
  }
}
