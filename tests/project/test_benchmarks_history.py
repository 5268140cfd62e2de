"""The benchmark of a close beside capture runs to its end, misses no row and opens no gap."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "benchmarks" / "bench_history.py"


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_close_beside_capture_is_measured() -> None:
    command = [sys.executable, str(BENCH), "beside", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    title, headings, _, figures = done.stdout[done.stdout.index("Closing a day") :].splitlines()[:4]
    assert "20,000 trades" in title
    assert headings.split("  ")[-2:] == ["gaps", "rows missing"]
    assert figures.split()[-2:] == ["0", "0"]


def test_readers_that_stay_behind_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH.parent))
    import history_beside
    from capture_roles import RoleFailed

    class Behind:
        """A reader that has taken less than it should."""

        def status(self) -> dict[str, object]:
            return {"name": "hdb", "caught_up": True, "seq": 6}

    monkeypatch.setattr(history_beside, "READ_S", 0.1)
    history_beside._until_read((Behind(),), 6)
    with pytest.raises(RoleFailed, match=r"seq 7 was not read within 0.1 s: .*'hdb'"):
        history_beside._until_read((Behind(),), 7)
