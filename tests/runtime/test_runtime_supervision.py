"""supervisord's configuration says what is meant, whatever a path has in it."""

import shlex
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from feedhandler.roster import _program
from plant.errors import SettingsError
from plant.runtime.sections import FeedSection
from plant.runtime.settings import load
from plant.runtime.supervision import supervision_of, write_configuration


def read(configuration: Path) -> ServerOptions:
    """Return what supervisord reads in a configuration."""
    options = ServerOptions()
    options.realize(["-c", str(configuration)])
    return options


@pytest.mark.parametrize("name", ["plain", "my plant", "it's $HOME", "a & b; c"])
def test_programs_and_feeds_have_the_paths_that_are_meant(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    config = folder / "plant.toml"
    config.write_text('[[feeds]]\nkind = "simulated"\n')
    settings = load(config)
    place = supervision_of(settings, str(config))
    write_configuration(place, str(config))
    (place.run / "feeds.conf").write_text(_program(settings.feeds[0], folder, str(place.run)))
    options = read(place.configuration)
    programs = {group.name: group.process_configs[0] for group in options.process_group_configs}
    roster = programs["feeds"]
    assert shlex.split(roster.command)[-3:] == ["-m", "feedhandler.roster", str(place.run / "feeds.conf")]
    assert programs["feed-simulated"].stdout_logfile == str(place.run / "feed-simulated.log")
    assert {p.directory for p in programs.values()} == {str(folder)}
    assert options.configroot.supervisord.environment == {"PLANT_CONFIG": str(config)}


@pytest.mark.parametrize("name", ["plant [old]", "50%", "a ; b"])
def test_a_path_that_supervisord_cannot_be_told_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "plant.toml").write_text("")
    settings = load(folder / "plant.toml")
    with pytest.raises(SettingsError, match=r"supervisord cannot be told of .*rename the folder"):
        write_configuration(supervision_of(settings, str(settings.file)), str(settings.file))


def test_a_data_folder_that_cannot_be_written_is_told_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file is in the way")
    (tmp_path / "plant.toml").write_text("")
    settings = load(tmp_path / "plant.toml")
    with pytest.raises(
        SettingsError, match=r"cannot write .*data.*name another folder as \[plant\] data in .*plant.toml"
    ):
        write_configuration(supervision_of(settings, str(settings.file)), str(settings.file))


def test_feeds_are_programs_of_their_folder(tmp_path: Path) -> None:
    text = _program(FeedSection(kind="simulated"), tmp_path, str(tmp_path / "run"))
    assert f"directory={tmp_path}\n" in text
