"""Run the dashboard where plant.toml says: the same as `streamlit run dashboard/app.py` with its address and port."""

import os
import sys
from pathlib import Path

from plant.errors import PlantError
from plant.runtime.lifecycle import EXIT_SETTINGS
from plant.runtime.settings import load


def main() -> None:
    """Become a Streamlit server."""
    try:
        settings = load()
    except PlantError as error:
        print(f"dashboard: {error}", file=sys.stderr)
        sys.exit(EXIT_SETTINGS)
    app = Path(__file__).with_name("app.py")
    os.execv(
        sys.executable,
        [
            sys.executable,
            "-m",
            "streamlit",
            "run",
            str(app),
            "--server.port",
            str(settings.dashboard.port),
            "--server.address",
            settings.plant.host,
            "--server.headless",
            "true",
            "--server.fileWatcherType",
            "none",
            "--browser.gatherUsageStats",
            "false",
        ],
    )


if __name__ == "__main__":
    main()
