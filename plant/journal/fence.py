"""Whether another plant has taken the place of the one that writes a journal: a file beside its segments.

A plant that is fenced takes no rows and acknowledges none, also after a restart: the other one gives its numbers to
other rows. The file goes when a person removes it (`plant journal unfence`), who knows that the other plant is gone.
"""

from pathlib import Path

from plant.data_folder import replace_file, sync_folder
from plant.errors import JournalError

FENCED = "fenced"
"""File of the journal's folder with the reason, one line."""


def fence(folder: Path, reason: str) -> None:
    """Note that the plant of this journal is fenced, and why, so that a power cut does not make it forgotten.

    Raises JournalError if it cannot be noted.
    """
    path = folder / FENCED
    try:
        replace_file(path, f"{reason}\n".encode())
        sync_folder(folder)
    except OSError as error:
        raise JournalError(f"{path}: cannot note that the plant is fenced: {error.strerror}") from None


def fenced_in(folder: Path) -> str:
    """Return why the plant of this journal is fenced, "" if it is not. Raises JournalError if that cannot be read."""
    path = folder / FENCED
    try:
        return path.read_text(errors="replace").strip() or f"{path} is there, and says no reason"
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise JournalError(f"{path}: cannot read whether the plant is fenced: {error.strerror}") from None


def unfence(folder: Path) -> str:
    """Let the plant of this journal take rows again, from its next start on; return why it was fenced, "" if not."""
    reason = fenced_in(folder)
    if reason:
        (folder / FENCED).unlink()
        sync_folder(folder)
    return reason
