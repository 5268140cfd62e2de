"""[[alerts]] of plant.toml: what is taken, and that nothing of an address is in an error."""

from pathlib import Path

import pytest

from plant.errors import SettingsError
from plant.runtime.alerting import AlertSection
from plant.runtime.settings import load

TO = 'to = "json://me:hush4711@127.0.0.1/hush4711"\n'


def loaded(folder: Path, toml: str) -> tuple[AlertSection, ...]:
    (folder / "plant.toml").write_text(toml)
    return load(folder / "plant.toml").alerts


def test_a_section_has_the_defaults_of_the_contract(tmp_path: Path) -> None:
    (found,) = loaded(tmp_path, f'[[alerts]]\nsignals = ["golden_cross"]\nintervals = ["60s"]\n{TO}')
    assert found.model_dump(exclude={"to"}) == {
        "signals": ("golden_cross",),
        "events": (),
        "every_s": 60.0,
        "within_s": 300.0,
        "intervals": ("1m",),
        "symbols": (),
    }
    assert loaded(tmp_path, "") == ()


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        (f"[[alerts]]\n{TO}", "alerts.0: Value error, expected signals or events; events are feed_stale, "),
        (
            f'[[alerts]]\nevents = ["gaps"]\n{TO}',
            "alerts.0.events: .* no event is called 'gaps'; events are",
        ),
        (
            f'[[alerts]]\nevents = ["order_rejected"]\n{TO}',
            "order_rejected comes with trading, which this plant",
        ),
        (
            f'[[alerts]]\nevents = ["gap"]\nintervals = ["1m"]\n{TO}',
            "intervals are those of signals, and it names",
        ),
        (f'[[alerts]]\nsignals = ["a"]\nintervals = ["5"]\n{TO}', 'expected an interval like "30s"'),
        (f'[[alerts]]\nsignals = ["a"]\nevery_s = -1.0\n{TO}', "alerts.0.every_s: .* found -1.0"),
        (f'[[alerts]]\nsignals = ["a"]\nevery = 1.0\n{TO}', "unknown key alerts.0.every"),
        ('[[alerts]]\nsignals = ["a"]\n', "alerts.0.to: Field required"),
        ('[[alerts]]\nsignals = ["a"]\nto = "hush4711"\n', "alerts.0.to: .* expected an address of Apprise's"),
        ('[[alerts]]\nsignals = ["a"]\nto = ["json://hush4711"]\n', "alerts.0.to: Input should be a valid string"),
        (
            '[[alerts]]\nsignals = ["a"]\nto = "json://${hush-4711}"\n',
            r"of the environment is written \$\{NAME",
        ),
        ('alerts = ["json://hush4711"]\n', "alerts.0: "),
        ('alerts = "json://hush4711"\n', "alerts: "),
        ("[monitor]\ndisk_gb = 2\n", "unknown key monitor.disk_gb"),
    ],
)
def test_a_mistake_is_told_without_the_address(tmp_path: Path, toml: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint) as refused:
        loaded(tmp_path, toml)
    assert "hush" not in str(refused.value)


def test_the_environment_is_told_without_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANT_ALERTS", '[{"to": "json://hush4711"')
    with pytest.raises(SettingsError, match="expected JSON in PLANT_ALERTS") as refused:
        loaded(tmp_path, "")
    assert "hush" not in str(refused.value)


def test_patterns_say_what_a_section_is_about() -> None:
    section = AlertSection(signals=("rsi_*",), events=("gap",), to="json://x", intervals=("5m",), symbols=("A*", "rdb"))
    about = [("rsi_oversold", "AAPL", "5m"), ("gap", "rdb", "")]
    others = [("rsi_oversold", "AAPL", "1m"), ("rsi_oversold", "TSLA", "5m"), ("gap", "AAPL", "5m"), ("gap", "hdb", "")]
    assert [each for each in about + others if section.about(*each)] == about
