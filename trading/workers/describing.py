"""What a class of a strategy is, that is given as its source: told by a process of its own.

    {"class_name": "", "definition": {"python": "..."}}   on stdin becomes
    {"name", "doc", "parameters", "file", "code_sha", "error"}   on stdout

To tell it the source has to be run; what it does there harms nobody: not who asks, and not the trader.
"""

import json
import os
import sys

from plant.errors import PlantError
from plant.runtime.settings import load
from trading.live.catalogue import Catalogue, StrategyClass
from trading.workers.bounds import bind


def main() -> None:
    """Read one request, and tell."""
    settings = load()
    asked = json.load(sys.stdin)
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the source prints is not what is told
    bind(settings.trading)
    try:
        found = Catalogue(settings.strategies_folder).named(asked["class_name"], asked["definition"]).data()
    except BaseException as error:  # whatever the source does
        why = str(error) if isinstance(error, PlantError) else f"{type(error).__name__}: {error}"
        found = StrategyClass(asked["class_name"], "", "", None, why).data()
    json.dump(found, told)
    told.close()


if __name__ == "__main__":
    main()
