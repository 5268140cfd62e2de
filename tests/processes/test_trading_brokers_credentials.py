"""Where keys come from, and that they show nowhere."""

import copy
import logging
import pickle
from pathlib import Path

import pytest

from plant.errors import SettingsError
from plant.transport.secret import Secret
from trading.brokers.credentials import FILE, Credentials, credentials_of, hide


def written(folder: Path, text: str, mode: int = 0o600) -> None:
    (folder / FILE).write_text(text)
    (folder / FILE).chmod(mode)


def test_an_accounts_own_keys_go_before_the_brokers_and_those_before_the_file(tmp_path: Path) -> None:
    written(tmp_path, '[swing-1]\nkey = "FILE"\nsecret = "s"\n')
    environment: dict[str, str] = {}

    def key() -> str:
        return credentials_of("swing-1", "alpaca", environment, tmp_path).key.reveal()

    assert key() == "FILE"
    environment |= {"ALPACA_API_KEY": "BROKER", "ALPACA_API_SECRET": "s"}
    assert key() == "BROKER"
    environment |= {"ALPACA_API_KEY_SWING_1": "OWN", "ALPACA_API_SECRET_SWING_1": "s"}
    assert key() == "OWN"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o620])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    written(tmp_path, '[a]\nkey = "VERYSECRETKEY"\nsecret = "s"\n', mode)
    with pytest.raises(SettingsError, match=f"may be read by others .mode {mode:04o}.: chmod 600") as error:
        credentials_of("a", "alpaca", {}, tmp_path)
    assert "VERYSECRET" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[a]\nkey = VERYSECRET\n", "is no TOML"),
        ('[a]\nkey = "VERYSECRET"\n', "must have key and secret"),
        ("a = 3\n", "must have key and secret"),
        ('[a]\nkey = "VERYSECRET\\n"\nsecret = "s"\n', "printable ASCII"),
        (
            '[b]\nkey = "VERYSECRET"\nsecret = "s"\n',
            r"set ALPACA_API_KEY_A and ALPACA_API_SECRET_A or ALPACA_API_KEY and",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_said_without_what_is_in_it(tmp_path: Path, text: str, error: str) -> None:
    written(tmp_path, text)
    with pytest.raises(SettingsError, match=error) as raised:
        credentials_of("a", "alpaca", {}, tmp_path)
    assert "VERYSECRET" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_half_of_a_pair_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has ALPACA_API_SECRET but no ALPACA_API_KEY"):
        credentials_of("a", "alpaca", {"ALPACA_API_SECRET": "x"}, tmp_path)


def test_they_are_not_shown_and_not_written_down() -> None:
    credentials = Credentials("KEY+1/", "SECRET=2")
    assert "KEY" not in f"{credentials} {credentials!r} {credentials.key!r} {credentials.both!r}"
    assert credentials.redact("KEY+1/ KEY%2B1%2F SECRET=2 SECRET%3D2") == "*** *** *** ***"
    for write in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="not to be written down"):
            write(credentials)  # type: ignore[operator]


def test_a_secret_beside_another_is_redacted_and_not_given_out() -> None:
    both = Secret("one", "two")
    assert both.reveal() == "one"
    assert both.redact("one two three") == "*** *** three"
    assert not Secret("", "two")


def test_a_librarys_log_is_redacted_until_it_is_let_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    (hidden,) = hide(Credentials("KEY", "SECRET"), ["some.library"])
    logging.getLogger("some.library").debug("header %s", {"k": "KEY", "s": "SECRET"})
    hidden.stop()
    logging.getLogger("some.library").debug("after %s", "it")
    assert [record.getMessage() for record in caplog.records] == ["header {'k': '***', 's': '***'}", "after it"]
