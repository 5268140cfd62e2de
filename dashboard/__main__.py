"""Run the dashboard where plant.toml says: the same as `streamlit run dashboard/app.py` with its address and port."""

import os
import sys
from pathlib import Path

from plant.errors import PlantError, SettingsError
from plant.runtime.lifecycle import EXIT_SETTINGS, unusable
from plant.runtime.settings import Settings, load
from plant.runtime.started import keep_started
from plant.runtime.supervision import supervision_of

STAYS = (
    "dashboard: on {host} only, although [plant] host is {open}: the page has no login and no TLS. To open it set "
    "[dashboard] login, certificate and certificate_key, or behind_proxy = true (docs/operations.md)"
)


def main() -> None:
    """Become a Streamlit server."""
    try:
        settings = load()
        _check_door(settings)
        keep_started(settings, supervision_of(settings).run)
    except (PlantError, OSError) as error:
        print(f"dashboard: {unusable(error) if isinstance(error, OSError) else error}", file=sys.stderr)
        sys.exit(EXIT_SETTINGS)
    if settings.dashboard_host != settings.plant.host:
        print(STAYS.format(host=settings.dashboard_host, open=settings.plant.host), file=sys.stderr, flush=True)
    app = Path(__file__).with_name("app.py")
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", str(app), *options(settings)])


def options(settings: Settings) -> list[str]:
    """Return Streamlit's options for these settings."""
    page = settings.dashboard
    told = {
        "server.port": str(page.port),
        "server.address": settings.dashboard_host,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    if page.certificate:
        told |= {"server.sslCertFile": page.certificate, "server.sslKeyFile": page.certificate_key}
    return [word for name, value in told.items() for word in (f"--{name}", value)]


def _check_door(settings: Settings) -> None:
    """Raise SettingsError if the login or the certificate that the settings promise is not there."""
    page = settings.dashboard
    for name in ("certificate", "certificate_key"):
        file = getattr(page, name)
        if file and not Path(file).is_file():
            raise SettingsError(f"[dashboard] {name}: no file {file}")
    if page.login:
        import streamlit as st  # takes a second

        try:
            known = "auth" in st.secrets
        except FileNotFoundError:
            known = False
        if not known:
            raise SettingsError(
                f"[dashboard] login = true, but there is no [auth] in {Path.cwd()}/.streamlit/secrets.toml nor in "
                "~/.streamlit/secrets.toml; Streamlit takes from there who may log in (docs/operations.md)"
            )


if __name__ == "__main__":
    main()
