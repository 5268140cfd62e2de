// Short words to the person, at the corner; bad ones stay until they are taken away.

import { el } from "../dom.js"

const STAYS_MS = 5000
const MOST = 4

export class Toasts {
  constructor(element) {
    this.element = element
    this.once = new Map()
  }

  /** Say something: level "note", "good" or "bad". */
  say(level, text) {
    const same = [...this.element.children].find((toast) => toast.dataset.text === text)
    same?.remove()
    const toast = el(
      "div",
      { class: "toast", "data-level": level, "data-text": text },
      el("span", {}, text),
      el("button", { type: "button", class: "quiet", "aria-label": "Take away", onclick: () => toast.remove() }, "×"),
    )
    this.element.append(toast)
    while (this.element.children.length > MOST) this.element.firstElementChild.remove()
    if (level !== "bad") setTimeout(() => toast.remove(), STAYS_MS)
    return toast
  }

  /** Say it once for what it is about, until it is something else. */
  sayOnce(about, level, text) {
    if (this.once.get(about) === text) return
    this.once.set(about, text)
    this.say(level, text)
  }
}
