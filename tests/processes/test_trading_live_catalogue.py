"""Classes of strategies: in files beside plant.toml, each harming no other."""

import hashlib
from pathlib import Path

import pytest

from plant.errors import SettingsError
from trading.live.catalogue import Catalogue

GOOD = '''
from trading.parameters import param
from trading.strategy import Strategy

class {name}(Strategy):
    """Buys {name}."""
    size: float = param(1.0, low=0)
'''


def written(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.py"
    file.write_text(text)
    return file


def test_a_class_is_told_with_its_parameters_and_the_sha_of_its_source(tmp_path: Path) -> None:
    file = written(tmp_path, "one", GOOD.format(name="One"))
    found = Catalogue(tmp_path).classes()["One"]
    assert found.code_sha == hashlib.sha256(file.read_bytes()).hexdigest()
    told = found.data()
    assert (told["name"], told["doc"], told["file"], told["error"]) == ("One", "Buys One.", str(file), "")
    assert told["parameters"]["properties"]["size"] == {"type": "number", "default": 1.0, "minimum": 0}


def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path)
    written(tmp_path, "one", GOOD.format(name="One"))
    before = catalogue.named("One", {})
    assert catalogue.named("One", {}).made_of is before.made_of
    written(tmp_path, "one", GOOD.format(name="One").replace("1.0", "2.0"))
    after = catalogue.named("One", {})
    assert after.code_sha != before.code_sha
    assert after.data()["parameters"]["properties"]["size"]["default"] == 2.0


def test_a_broken_file_harms_no_other_and_says_why(tmp_path: Path) -> None:
    written(tmp_path, "one", GOOD.format(name="One"))
    written(tmp_path, "broken", "import nothing_of_this_name\n")
    written(tmp_path, "_helper", "raise RuntimeError\n")
    catalogue = Catalogue(tmp_path)
    own = {name: each.error for name, each in catalogue.classes().items() if str(tmp_path) in each.file}
    assert own == {"One": "", "broken": "ModuleNotFoundError: No module named 'nothing_of_this_name'"}
    with pytest.raises(SettingsError, match="the class 'broken' cannot be used: ModuleNotFoundError"):
        catalogue.named("broken", {})
    with pytest.raises(SettingsError, match=r"no class 'Onne' \(did you mean 'One'\?\)"):
        catalogue.named("Onne", {})


def test_two_classes_of_one_name_are_told(tmp_path: Path) -> None:
    written(tmp_path, "a", GOOD.format(name="One"))
    written(tmp_path, "b", GOOD.format(name="One"))
    found = Catalogue(tmp_path).classes()
    assert found["One"].error == ""
    assert "both have a class 'One'" in found["One (b.py)"].error


def test_a_definition_may_be_the_source(tmp_path: Path) -> None:
    source = GOOD.format(name="Inline")
    found = Catalogue(tmp_path).named("Inline", {"python": source})
    assert (found.made_of.__name__, found.code_sha) == ("Inline", hashlib.sha256(source.encode()).hexdigest())
    with pytest.raises(SettingsError, match="its source cannot be used: SyntaxError"):
        Catalogue(tmp_path).named("Inline", {"python": "class"})
    with pytest.raises(SettingsError, match="has 0 classes of strategies called 'Other'"):
        Catalogue(tmp_path).named("Other", {"python": source})


def test_without_a_folder_there_are_only_the_shipped_ones(tmp_path: Path) -> None:
    assert all("strategies" in each.file for each in Catalogue(tmp_path / "none").classes().values())


def test_what_only_the_plant_makes_runs_of_is_no_choice(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path)
    assert catalogue.named("Manual", {}).made_of.__name__ == "Manual"
    assert set(catalogue.classes()) - set(catalogue.choices()) == {"Manual", "Frame"}
    with pytest.raises(SettingsError, match="there is no class 'Maunal'; classes are"):
        catalogue.named("Maunal", {})
