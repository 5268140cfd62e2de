// A question to the person that has to be answered before anything is done.

import { byId, el, replace } from "../dom.js"

/** Ask; true if they say yes. `grave`: real money is at stake. */
export function ask(title, text, yes, grave) {
  const dialog = byId("question")
  return new Promise((answered) => {
    const done = (answer) => {
      answered(answer)
      dialog.close()
    }
    const no = el("button", { type: "button", class: "plain", onclick: () => done(false) }, "No")
    const sure = el("button", { type: "button", class: grave ? "halt" : "plain", onclick: () => done(true) }, yes)
    replace(
      dialog,
      el("header", {}, el("h2", { id: "question-title" }, title)),
      el("div", { class: "content" }, el("p", {}, text), el("div", { class: "row" }, no, sure)),
    )
    dialog.onclose = () => answered(false) // by Escape; what was answered before stays
    dialog.showModal()
  })
}
