"""Where real recorded market data lie, for the tests that compare with them; without it they are skipped."""

import os
from pathlib import Path

RECORDINGS = Path(os.environ.get("TICKPLANT_RECORDINGS", Path(__file__).parents[3] / "shared" / "data"))
"""Beside the repository, or where the variable says; its licences keep it out of here."""
