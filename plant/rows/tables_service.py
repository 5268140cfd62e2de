"""The tables of the service: annotations of charts, keys, what was allowed, and what was asked to be changed.

None has a key: a row of `annotations`, `api_keys` and `permissions` carries the whole object, and the newest counts.
"""

from plant.rows.schema import at_least_one, event_table, finite_or_unknown, not_empty, one_of

ANNOTATION_KINDS = ("level", "zone", "line", "flag", "pivot", "marker", "text")
ANNOTATION_ACTIONS = ("create", "update", "delete")
ANNOTATION_STATES = ("active", "tested", "broken", "expired", "forming", "confirmed", "failed")

ROLES = ("read", "trade", "admin")
"""Roles of keys; each may what those before it may."""

KEY_ACTIONS = ("create", "revoke")
PERMISSION_ACTIONS = ("grant", "revoke", "used")
PERMISSION_TARGETS = ("pine_code", "python_code", "run_artifacts")

_CLOCK = "when it was written, by the clock"

SERVICE_TABLES = (
    event_table(
        "annotations",
        """
    id         symbol  automatic: what it is, its symbol and day, e.g. prev_day_high/AAPL/2026-11-20; drawn: a UUID
    version    int     1, 2, ...: one more than the row before; a row with another one counts for nothing
    action     symbol  create, update or delete
    kind       symbol  level, zone, line, flag, pivot, marker or text
    type       symbol  its definition, e.g. prev_day_high; drawn: user
    interval   symbol  length of the bars it was found on; drawn: for all
    start_at   time    in the market
    end_at     time    in the market; not known: open
    price      float   level, marker, text: its price; line, flag: at start_at; else NaN
    price_end  float   line, flag: at end_at; else NaN
    top        float   zone: its upper edge; else NaN
    bottom     float   zone: its lower edge; else NaN
    state      symbol  active, tested, broken, expired, forming, confirmed or failed
    strength   float   touches, or size in ATR; NaN: none
    source     symbol  auto, user:NAME or strategy:ID
    text       text    label
    style      text    colour, width, opacity, JSON
    reason     text    why this event
    """,
        (),
        (
            not_empty("id"),
            at_least_one("version"),
            one_of("action", ANNOTATION_ACTIONS),
            one_of("kind", ANNOTATION_KINDS),
            one_of("state", ANNOTATION_STATES),
            *map(finite_or_unknown, ("price", "price_end", "top", "bottom", "strength")),
        ),
        "instrument, e.g. AAPL",
        "when it was decided: automatic: the end of the closed bar that proves it; drawn: by the clock",
    ),
    event_table(
        "api_keys",
        """
    version    int     1, 2, ...: one more than the row before
    action     symbol  create or revoke
    role       symbol  read, trade or admin: each may what those before it may
    hash       text    argon2id of the secret, which is nowhere else
    name       text    whose it is
    expires    time    not known: never
    """,
        (),
        (at_least_one("version"), one_of("action", KEY_ACTIONS), one_of("role", ROLES)),
        "the key's id",
        _CLOCK,
    ),
    event_table(
        "permissions",
        """
    actor      symbol  who may
    target     symbol  pine_code, python_code or run_artifacts
    access     symbol  read or write
    scope      symbol  single_action: used up by a row `used`; session
    action     symbol  grant, revoke or used
    expires    time    until then; not known: until it is revoked
    note       text    why
    """,
        (),
        (
            not_empty("actor"),
            one_of("target", PERMISSION_TARGETS),
            one_of("access", ("read", "write")),
            one_of("scope", ("single_action", "session")),
            one_of("action", PERMISSION_ACTIONS),
        ),
        "the key that wrote it, or anonymous",
        _CLOCK,
    ),
    event_table(
        "audit",
        """
    method     symbol  POST, PUT, PATCH or DELETE; of a failed login any
    route      symbol  its template, e.g. /api/v1/orders/{id}
    subject    text    what it is about: the id in the path, or of what was made
    status     int     of the answer
    address    symbol  whence it came
    idempotency_key text what it was repeated by; empty: none
    body       text    what was asked, 4 KB at most, without secrets
    body_sha   symbol  SHA-256 of the whole of it
    answer     text    64 KB at most, without secrets
    written_seq int    journal sequence number of the row it wrote; 0: none
    """,
        (),
        (),
        "the key's id, or anonymous",
        _CLOCK,
    ),
)
"""Of them only annotations count as of the plant (plant.transfer); the others are never replayed."""
