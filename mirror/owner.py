"""Who a plant is for the stream: a random text, kept in its data folder. A stream has one owner at a time."""

import secrets
from pathlib import Path

from plant.data_folder import replace_file, sync_folder
from plant.errors import SettingsError


def owner_of(data: Path) -> str:
    """Return the text of the plant in this data folder, made if there is none. Raises SettingsError."""
    path = data / "mirror" / "owner"
    try:
        if path.is_file() and (found := path.read_text().strip()):
            return found
        path.parent.mkdir(parents=True, exist_ok=True)
        made = secrets.token_hex(8)
        replace_file(path, f"{made}\n".encode())
        sync_folder(path.parent)
    except OSError as error:
        raise SettingsError(f"{path}: cannot keep who this plant is: {error.strerror}") from None
    return made
