// Asks every second how the processes are (dashboard/refresh/beat.py), beside Streamlit, and has Python draw when that is
// another way than it drew last. Where nobody answers, Python is asked to draw every second.
//
// data: { path, letters, paused: bool }. Sends the trigger "changed" with the letters that were found, or the time.

const EVERY_MS = 1000
const BEATS = new WeakMap()

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".tp-beat")
  if (!BEATS.has(root)) BEATS.set(root, begin(root))
  Object.assign(BEATS.get(root), { data, tell: (what) => setTriggerValue("changed", what) })
  return () => {
    if (root.isConnected) return
    clearInterval(BEATS.get(root)?.timer)
    BEATS.delete(root)
  }
}

function begin(root) {
  const beat = { asking: false }
  beat.timer = setInterval(async () => {
    if (!root.isConnected) return clearInterval(beat.timer)
    if (document.hidden || beat.asking) return
    beat.asking = true
    const found = await ask(new URL(beat.data.path, document.baseURI))
    beat.asking = false
    if (found !== beat.data.letters && root.isConnected) beat.tell(found ?? String(Date.now()))
  }, EVERY_MS)
  return beat
}

async function ask(address) {
  try {
    const answer = await fetch(address, { cache: "no-store" })
    return answer.ok && answer.headers.get("Content-Type")?.startsWith("text/plain") ? await answer.text() : null
  } catch {
    return null
  }
}
