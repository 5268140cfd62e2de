"""The tables of trading: instruments, strategies and their runs, orders, fills, what they earned, what risk refused.

What changes has no key: each row of `strategies`, `runs`, `orders` and `positions` carries the whole object, and the
newest one counts (plant.state). `time` is when the plant learned of it, `market_time` when it was so in the market.
"""

from plant.rows.schema import at_least_one, event_table, not_empty, not_negative, one_of, positive

STRATEGY_ACTIONS = ("create", "update", "delete")
WANTED = ("stopped", "running", "paused")
COMMANDS = (
    "backtest", "replay", "step", "pause_run", "resume_run", "order", "cancel", "cancel_run", "flatten", "kill",
    "resume", "limits",
)  # fmt: skip
"""What the table `commands` may ask for."""

SIDES = ("buy", "sell")
BROKER_REPORTS = ("order", "position", "fee", "cash", "orphan", "adopted", "fills")
"""What a row of `broker_reports` may tell of."""

TRADING_TABLES = (
    event_table(
        "instruments",
        """
    since      time    from when on it is so in the market; not known: always
    currency   symbol  of its prices and of the money made with it, e.g. USD
    asset_class symbol stock, crypto, forex, future, ...
    tick       float   least step of its price, quote currency
    lot        float   least step of a quantity, units
    multiplier float   money of one unit at a price of 1; a future's point value
    min_notional float least value of an order, quote currency; NaN: none
    maker_bps  float   commission of a fill that waited in the book, 1e-4 of its value
    taker_bps  float   commission of one that took from it, 1e-4 of its value
    fee_per_unit float commission per unit, quote currency
    calendar   symbol  exchange whose sessions it has, e.g. XNYS; empty: it trades at any time
    shortable  int     1: it may be sold short; 0: not
    source     symbol  who told it: plant.toml, or a venue
    """,
        ("sym", "time", "since"),
        (positive("tick"), positive("lot"), positive("multiplier")),
        "instrument, e.g. AAPL, or of plant.toml a pattern, e.g. BTC/*",
    ),
    event_table(
        "strategies",
        """
    version    int     1, 2, ...: one more than the row before; a row with another one counts for nothing
    action     symbol  create, update or delete
    class_name symbol  the class, Conditions for one that is JSON
    definition text    the JSON form, empty for a class of one's own
    code_sha   symbol  SHA-256 of the source of its class
    parameters text    its parameters, JSON; its limits under "limits"
    symbols    text    instruments it trades, JSON list
    interval   symbol  length of the bars it is given, e.g. 5m
    account    symbol  of [[accounts]]; empty: the first
    mode       symbol  paper or live
    wanted     symbol  what it is to be: stopped, running or paused
    who        symbol  who wrote the row
    note       text    why
    """,
        (),
        (at_least_one("version"), one_of("action", STRATEGY_ACTIONS), one_of("wanted", WANTED)),
        "the strategy's name",
    ),
    event_table(
        "commands",
        """
    id         symbol  of this command; a run that it begins has it as its own
    command    symbol  backtest, replay, step, pause_run, resume_run, order, cancel, cancel_run, flatten, kill, ...
    arguments  text    JSON
    who        symbol  who gave it
    """,
        (),
        (not_empty("id"), one_of("command", COMMANDS)),
        "whom it is for: a strategy, an account, an instrument, a run; * for all",
    ),
    event_table(
        "runs",
        """
    run        symbol  its id, at most 16 of a-z, 0-9 and -
    mode       symbol  backtest, replay, paper or live
    state      symbol  draft, running, paused, completed, failed or cancelled
    class_name symbol  class of the strategy
    code_sha   symbol  SHA-256 of its source
    parameters text    JSON
    symbols    text    JSON list
    interval   symbol  length of its bars
    start_at   time    it begins there, in the market; not known: at the first row
    end_at     time    it ends there; not known: at the last, or still to come
    warm_up    int     bars ahead of its start that it was given
    fills      text    how orders are filled, JSON
    risk       text    its account, money and limits, and up to which seq it knows instruments, JSON
    seed       int     of its random numbers
    data_sha   symbol  SHA-256 of the bars, trades and quotes it was given; backtest and replay
    first_seq  int     journal sequence number of the first row it was given
    last_seq   int     of the last so far
    bars       int     bars it was given so far, those of the warm-up not counted
    progress   float   0 to 1; NaN: without an end
    market_time time   of the last row it was given
    detail     text    why it is in this state
    """,
        (),
        (not_empty("run"), not_empty("state")),
        "the strategy's name",
    ),
    event_table(
        "strategy_events",
        """
    run        symbol  its run; empty: none
    market_time time   in the market
    kind       symbol  started, warm, stopped, failed, diverged, parameter or log
    detail     text    a sentence
    """,
        sym="the strategy's name",
    ),
    event_table(
        "plots",
        """
    run        symbol  the run that shows it
    market_time time   of the bar, its start
    interval   symbol  length of the bar
    name       symbol  what it is called
    value      float   NaN: none
    """,
        ("sym", "time", "run", "interval", "name", "market_time"),
    ),
    event_table(
        "orders",
        """
    order_id   symbol  tp-, the run, seq of what caused it and a count; the broker has it too
    n          int     1, 2, ...: its transitions, each a row with the whole order
    client_order_id text the user's own id
    run        symbol  the run that made it; orders by hand: manual- and the account
    strategy   symbol  the strategy that made it
    account    symbol  of [[accounts]]
    side       symbol  buy or sell
    kind       symbol  market, limit, stop, stop_limit or trailing
    qty        float   units; 0: of one that is sized when it is filled, until then, and of one that none was said of
    limit_price float  quote currency; NaN: none
    stop_price float   quote currency; NaN: none
    trail      float   distance of a trailing stop, quote currency; NaN: none
    time_in_force symbol day, gtc, ioc or fok
    parent     symbol  order whose fill sets this one free
    oco        symbol  group of which one fill cancels the others
    tag        symbol  the strategy's own name for it
    filled     float   units so far
    average    float   mean price of them; NaN: none
    state      symbol  created, submitting, accepted, partially_filled, filled, cancelled, rejected, refused, ...
    reason     text    why
    broker_id  symbol  the broker's own id
    market_time time   of this transition, in the market
    made_at    time    when it was made, in the market
    cause_seq  int     journal sequence number of the row that caused it
    """,
        (),
        (
            not_empty("order_id"),
            at_least_one("n"),
            one_of("side", SIDES),
            not_negative("qty"),
            not_negative("filled"),
        ),
    ),
    event_table(
        "fills",
        """
    fill_id    symbol  the broker's execution id; simulated: order_id-n. The newest row of one counts
    order_id   symbol  the order
    run        symbol  its run
    strategy   symbol  its strategy
    account    symbol  its account
    market_time time   in the market
    side       symbol  buy or sell
    qty        float   units
    price      float   quote currency
    commission float   account currency
    liquidity  symbol  maker or taker
    realised   float   profit of what it closed, before commission, account currency
    position_after float units held then, of the strategy
    cause_seq  int     journal sequence number of the row that filled it
    cause_row  int     which row of that number it was, 1 the first; 0: not told, as of a broker's fill
    """,
        ("sym", "time", "fill_id"),
        (not_empty("fill_id"), one_of("side", SIDES), positive("qty")),
    ),
    event_table(
        "broker_reports",
        """
    account    symbol  of [[accounts]]
    kind       symbol  order: of an order of ours; else what a reconciliation found: position, fee, cash, ...
    order_id   symbol  the order; empty: none
    broker_id  symbol  the broker's own id of it
    state      symbol  what the order is in; empty: nothing new
    filled     float   units so far, over all fills; NaN: not said
    reason     text    why, in the broker's words or ours
    fill_id    symbol  the execution it tells of; empty: none
    side       symbol  of the execution
    qty        float   units of the execution; NaN: none
    price      float   of the execution, quote currency; NaN: none
    commission float   of the execution, account currency; NaN: none
    liquidity  symbol  maker or taker
    market_time time   when it was so at the broker; not known: when the plant learned it
    ours       float   what the books have: units, of cash the account's currency; NaN: none
    theirs     float   what the broker has
    halts      int     1: the account is halted by it
    detail     text    a sentence
    exact      text    the numbers as a run is told them, JSON: whole lots, ticks, 1e-8 of money, or "n/d" between
    """,
        (),
        (not_empty("account"), one_of("kind", BROKER_REPORTS)),
        "instrument, e.g. AAPL; of cash the currency",
    ),
    event_table(
        "positions",
        """
    account    symbol  whose it is
    strategy   symbol  the strategy; unallocated: nobody's
    run        symbol  its run
    market_time time   in the market
    qty        float   units, negative if short
    average    float   mean price they were had for, quote currency; NaN: none are held
    cost       float   what they cost, account currency
    price      float   the price they are valued at, quote currency
    value      float   qty * price * multiplier, account currency
    realised   float   profit of what was closed, before commission, account currency
    unrealised float   profit of what is held, account currency
    commission float   paid so far, account currency
    """,
    ),
    event_table(
        "equity",
        """
    run        symbol  its run; empty: of the whole account
    market_time time   in the market
    cash       float   account currency, as all that follows
    value      float   of the positions
    equity     float   cash + value
    realised   float   profit of what was closed, before commission
    unrealised float   profit of what is held
    commission float   paid so far
    exposure   float   value of long and short positions together, both counted as positive, in parts of the equity
    drawdown   float   equity / its greatest so far - 1
    """,
        sym="the account",
    ),
    event_table(
        "round_trips",
        """
    run        symbol  its run
    strategy   symbol  its strategy
    number     int     1, 2, ... within the run; the newest row of one counts
    side       symbol  long or short
    entry_at   time    in the market
    entry_price float  quote currency
    entry_tag  symbol  of the order
    exit_at    time    in the market
    exit_price float   quote currency
    exit_tag   symbol  of the order; Open: it is not closed yet
    qty        float   units
    profit     float   after commission, account currency
    profit_pct float   % of the entry's value
    commission float   of entry and exit, account currency
    run_up     float   greatest profit on the way, % of the entry's value
    drawdown   float   greatest loss on the way, % of the entry's value
    bars       int     from entry to exit
    open       int     1: it is not closed yet
    """,
        ("sym", "time", "run", "number"),
        (at_least_one("number"),),
    ),
    event_table(
        "metrics",
        """
    run        symbol  its run
    name       symbol  e.g. sharpe; the newest row of one counts
    value      float   NaN: not defined
    detail     text    what it is of, e.g. the number of returns and N
    """,
        ("sym", "time", "run", "name"),
        (not_empty("name"),),
        "the strategy's name; of all of an account: the account's",
    ),
    event_table(
        "risk_events",
        """
    account    symbol  whose it is
    strategy   symbol  the strategy; empty: the whole account
    rule       symbol  the limit that was met, e.g. max_order_qty
    bound      float   the limit's number; NaN: none
    value      float   what was found; NaN: none
    action     symbol  refused, halted, resumed, adopted or orphan
    order_id   symbol  the order it is about; empty: none
    detail     text    a sentence
    """,
    ),
)
"""Prices are in quote currency, quantities in units, money in the account's currency. JSON stands in texts.

The market_time is in the key of `plots`: bars that the plant took together have one `time`, and each is shown."""
