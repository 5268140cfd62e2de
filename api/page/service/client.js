// Questions to the service over HTTP. Every error is a Refusal with the service's own sentence.

export const BASE = "/api/v1"
const PATIENCE_MS = 30_000

/** What the service refused, or that it did not answer: `status` (0: no answer), `code`, and a sentence. */
export class Refusal extends Error {
  constructor(status, code, detail, problem = {}) {
    super(detail)
    this.status = status
    this.code = code
    this.problem = problem
  }

  /** Whether it is not known if what was asked for happened. */
  get unknown() {
    return this.status === 0 || this.code === "not_acknowledged"
  }
}

/** What an error says, whatever it is. */
export function sentenceOf(error) {
  return error instanceof Refusal ? error.message : `The page failed: ${error.message}`
}

export class Service {
  constructor() {
    this.key = ""
  }

  /** GET: parameters may be lists (repeated), null ones are left out. */
  get(path, parameters = {}, options = {}) {
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(parameters)) {
      if (value === null || value === undefined || value === "") continue
      for (const each of Array.isArray(value) ? value : [value]) query.append(name, each)
    }
    const text = query.toString()
    return this.#ask("GET", `${path}${text ? `?${text}` : ""}`, undefined, {}, options)
  }

  /** Rows of a row answer, times as ms; `answer.rows` is always a list. */
  async rows(path, parameters = {}) {
    const answer = await this.get(path, { times: "ms", ...parameters })
    return { ...answer, rows: answer.rows ?? [] }
  }

  /** POST, PATCH, PUT or DELETE. `idempotency`: the key by which the service knows a repetition; `version`: for If-Match. */
  change(method, path, body, { idempotency = crypto.randomUUID(), version = null } = {}) {
    const headers = { "Idempotency-Key": idempotency }
    if (version !== null) headers["If-Match"] = `"${version}"`
    return this.#ask(method, path, body ?? (method === "DELETE" ? undefined : {}), headers)
  }

  async #ask(method, path, body, headers, { signal } = {}) {
    const asked = { Accept: "application/json", ...headers }
    if (this.key) asked.Authorization = `Bearer ${this.key}`
    if (method !== "GET") asked["Content-Type"] = "application/json"
    const limit = AbortSignal.timeout(PATIENCE_MS)
    let response
    let text
    try {
      response = await fetch(BASE + path, {
        method,
        headers: asked,
        body: body === undefined ? undefined : JSON.stringify(body),
        cache: "no-store",
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      })
      text = await response.text()
    } catch (error) {
      if (signal?.aborted) throw error
      throw new Refusal(0, "unreachable", "The service does not answer. Is it running? `plant status` tells.")
    }
    let answer = null
    try {
      answer = text ? JSON.parse(text) : null
    } catch {
      throw new Refusal(response.status, "malformed", `The service answered ${response.status} with what is no JSON.`)
    }
    if (response.ok) return answer
    const problem = answer ?? {}
    throw new Refusal(
      response.status,
      problem.code ?? "",
      problem.detail ?? problem.title ?? `The service answered ${response.status}.`,
      problem,
    )
  }
}
