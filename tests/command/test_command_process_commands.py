"""Commands that processes and other packages bring to `plant`: found by name, imported late, refused in a sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from installed import install

GROUP = "tickplant.commands"
COMMANDS = """
import typer
app = typer.Typer(add_completion=False)
@app.command()
def hello(name: str) -> None:
    "Greet somebody."
    print("hello", name)
@app.command()
def other() -> None:
    "Do something else."
one = typer.Typer(add_completion=False)
@one.command()
def greet(loud: bool = False) -> None:
    "Greet all."
    print("HELLO" if loud else "hello")
empty = typer.Typer()
"""


def plant(folder: Path, *arguments: str, after: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command `plant` in a folder, with the packages in its folder `site`; `after` is run at its end."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PLANT_")}
    environment |= {"PYTHONPATH": str(folder / "site"), "COLUMNS": "200", "NO_COLOR": "1"}
    script = f"import atexit\ndef after():\n    import sys\n    {after or 'pass'}\natexit.register(after)\n"
    script += "from plant.command.app import main\nmain()"
    return subprocess.run([sys.executable, "-c", script, *arguments], cwd=folder, env=environment, capture_output=True,
                          text=True, timeout=60, check=False)  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of installed packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "greeting.py").write_text(COMMANDS)
    return folder


def words(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


def test_a_command_is_its_app_or_the_one_of_that_name_in_it(tmp_path: Path, site: Path) -> None:
    install(site, "one", GROUP, "greet", "greeting:one")
    install(site, "two", GROUP, "hello", "greeting:app")
    assert plant(tmp_path, "greet", "--loud").stdout == "HELLO\n"
    assert plant(tmp_path, "hello", "world").stdout == "hello world\n"
    assert "No such command 'other'" in words(plant(tmp_path, "other").stderr)
    shown = words(plant(tmp_path, "--help").stdout)
    assert "greet Greet all." in shown
    assert "hello Greet somebody." in shown
    assert "feeds Check the feeds of plant.toml" in shown


def test_a_command_of_the_core_imports_none_of_the_others(tmp_path: Path, site: Path) -> None:
    install(site, "one", GROUP, "greet", "greeting:one")
    after = "print([m for m in ('greeting', 'feedhandler') if m in sys.modules])"
    assert plant(tmp_path, "status", after=after).stdout.splitlines()[-1] == "[]"
    assert plant(tmp_path, "greet", after=after).stdout.splitlines()[-1] == "['greeting']"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("nowhere:app", "nowhere:app (of one) cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ("greeting:apps", "greeting:apps (of one) cannot be imported: AttributeError: "),
        ("greeting:greet", "expected a typer app at greeting:greet, found <function greet at"),
        ("greeting:empty", "greeting:empty: Could not get a command for this Typer instance"),
    ],
)
def test_a_command_that_cannot_be_loaded_is_refused_with_a_sentence(
    tmp_path: Path, site: Path, value: str, reason: str
) -> None:
    install(site, "one", GROUP, "greet", value)
    for arguments in (("greet",), ("greet", "x", "--loud")):
        done = plant(tmp_path, *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert words(done.stderr).startswith(f"plant: the command 'greet' is refused: {reason}")
    listed = plant(tmp_path, "--help")
    assert listed.returncode == 0
    assert "greet the command 'greet' is refused: " in words(listed.stdout)
    assert "Traceback" not in listed.stderr


def test_a_command_that_two_packages_bring_is_refused(tmp_path: Path, site: Path) -> None:
    install(site, "one", GROUP, "greet", "greeting:one")
    install(site, "two", GROUP, "greet", "greeting:app")
    done = plant(tmp_path, "greet")
    assert done.returncode == 1
    assert "'greet' means several things: greeting:" in words(done.stderr)


def test_the_core_keeps_its_names_and_help_tells_who_wants_one(tmp_path: Path, site: Path) -> None:
    install(site, "one", GROUP, "status", "greeting:one")
    assert "no supervisord" in plant(tmp_path, "status").stderr
    listed = plant(tmp_path, "--help")
    assert listed.returncode == 0
    assert "'status' is a command of the plant; the entry point tickplant.commands of that name is refused: " in words(
        listed.stderr
    )
    assert "Greet all." not in listed.stdout


def test_feeds_shows_the_kinds_and_says_that_all_is_good(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_text('[[feeds]]\nkind = "simulated"\nname = "market"\n')
    done = plant(tmp_path, "feeds")
    assert (done.returncode, done.stderr) == (0, "")
    shown = words(done.stdout)
    assert "market simulated good" in shown
    assert 'symbols ["AAPL", "TSLA", "GOOG"] symbols of the market' in shown
    assert "paths (must be given) CSV, Excel or Parquet files" in shown


def test_feeds_says_which_key_of_a_venue_the_environment_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FINAZON_API_KEY", raising=False)
    monkeypatch.delenv("TRADIER_API_KEY", raising=False)
    monkeypatch.setenv("MASSIVE_API_KEY", "there")
    kinds = ("finazon", "tradier", "polygon")
    (tmp_path / "plant.toml").write_text("".join(f'[[feeds]]\nkind = "{kind}"\n' for kind in kinds))
    done = plant(tmp_path, "feeds")
    assert done.returncode == 0
    shown = words(done.stdout)
    for kind, variable in (("finazon", "FINAZON_API_KEY"), ("tradier", "TRADIER_API_KEY")):
        assert f"{kind} good, but the environment has no {variable}; docs/feeds.md#{kind} says" in shown
    assert "polygon good " in shown


def test_feeds_says_what_is_wrong_and_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from feedhandler import FeedSettings\n"
        "class Mine:\n    'Coins.'\n    Settings = FeedSettings\n    replayable = finished = False\n"
        "    start = poll = status = close = print\n"
    )
    text = '[[feeds]]\nkind = "{}"\nname = "{}"\n{}\n'
    feeds = (("simulated", "a", "sede = 1"), ("mine:Mine", "b", ""), ("mine:Mien", "c", ""), ("simulated", "d", ""))
    (tmp_path / "plant.toml").write_text("".join(text.format(*feed) for feed in feeds))
    done = plant(tmp_path, "feeds")
    assert done.returncode == 1
    shown = words(done.stdout)
    assert "a simulated wrong b mine:Mine good c mine:Mien wrong d simulated good" in shown
    assert "mine:Mine Coins. key default meaning name" in shown
    told = words(done.stderr)
    assert f"{tmp_path}/plant.toml, feed 'a': unknown key sede; the keys of kind 'simulated' are name," in told
    assert f"{tmp_path}/plant.toml, feed 'c': mine:Mien cannot be imported: AttributeError: " in told
