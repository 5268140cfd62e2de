"""Whether a plant that followed another one's stream was promoted: a file in its data folder, made by `plant promote`.

plant.toml still has [upstream] then, which does not count any more. It is not rewritten: it may be the work of a
program that would put it back, and a plant that follows a stream which it writes itself would take no rows. To have the
plant follow again, move its data folder away: its rows are not those of the plant it would follow.
"""

import json
from pathlib import Path
from typing import NamedTuple

from plant.data_folder import replace_file, sync_folder
from plant.errors import SettingsError
from plant.runtime.sections import UpstreamSettings

PROMOTED = "promoted"
"""The file's name."""


class Promotion(NamedTuple):
    """The stream that the plant took over, the seq of the last record it had of it, and when (ISO 8601, UTC)."""

    name: str
    seq: int
    at: str


def promotion_of(data: Path) -> Promotion | None:
    """Return what a data folder says of it, None if the plant was not promoted. Raises SettingsError."""
    path = data / PROMOTED
    try:
        fields = json.loads(path.read_text())
        return Promotion(str(fields["name"]), int(fields["seq"]), str(fields["at"]))
    except (
        FileNotFoundError,
        NotADirectoryError,
        PermissionError,
    ):  # he who may not is none of its processes
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{path} says that this plant was promoted, and cannot be read ({error}); `plant promote` writes it anew "
            "once it is removed"
        ) from None


def keep_promotion(data: Path, promotion: Promotion) -> None:
    """Note that the plant of a data folder was promoted, so that a power cut does not make it forgotten."""
    replace_file(data / PROMOTED, f"{json.dumps(promotion._asdict())}\n".encode())
    sync_folder(data)


def upstream_of(upstream: UpstreamSettings, promotion: Promotion, file: Path) -> UpstreamSettings:
    """Return [upstream] of a plant that was promoted: none. Raises SettingsError if it means another plant by now."""
    if upstream.followed and not (upstream.stream and upstream.name == promotion.name):
        raise SettingsError(
            f"{file}: [upstream] says to follow {upstream.followed}, and this plant took over the stream "
            f"{promotion.name} at {promotion.at}: its journal is its own since. Give it another [plant] data folder"
        )
    return UpstreamSettings()
