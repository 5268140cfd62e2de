"""Whether an account is halted: rows of `commands` and `risk_events`, folded."""

from collections.abc import Collection
from dataclasses import dataclass, field

from plant.state.commands import is_obeyed, is_of_account, reaches
from plant.state.newest import Row


@dataclass(frozen=True)
class Halt:
    """Whether an account is halted: since when (ns UTC), by whom; and strategies that halted by themselves, and why."""

    since: int | None = None
    by: str = ""
    strategies: dict[str, str] = field(default_factory=dict)

    @property
    def halted(self) -> bool:
        """Whether anything is."""
        return self.since is not None or bool(self.strategies)


def halt_of(rows: tuple[Row, ...], account: str, strategies: Collection[str] = ()) -> Halt:
    """Return whether an account is halted: `rows` are commands `kill`, `resume` and rows of `risk_events`, in order.

    strategies   the names of the account's own, which a command may be for alone
    """
    since: int | None = None
    by, halted = "", dict[str, str]()
    for row in rows:
        command = row.get("command")
        if command is None:
            if row["account"] == account and row["rule"] != "kill":
                if row["action"] == "halted":
                    halted[row["strategy"]] = row["detail"]
                else:
                    halted.pop(row["strategy"], None)
        elif not is_obeyed(row) or not reaches(row["sym"], account, strategies):
            continue
        elif is_of_account(row["sym"], account):
            halted = {}
            since, by = (row["time"], row["who"]) if command == "kill" else (None, "")
        elif command == "kill":
            halted[row["sym"]] = f"killed by {row['who']}"
        else:
            halted.pop(row["sym"], None)
    return Halt(since, by, halted)
