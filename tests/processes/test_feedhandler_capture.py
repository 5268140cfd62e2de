"""Frames on disk, as they came; and frames that others recorded."""

import gzip
import subprocess
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedhandler import capture as module
from feedhandler.capture import Capture, Frame, frames_of, line_of

TIMES = st.integers(0, 9_999_999_999_999_999_999 // 10)


@given(frames=st.lists(st.tuples(st.binary(max_size=40) | st.text(max_size=20).map(str.encode), TIMES), max_size=8))
def test_what_is_written_is_read_again_byte_by_byte(
    frames: list[tuple[bytes, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("frames") / "a"
    file.write_bytes(b"".join(line_of(frame, at) for frame, at in frames))
    assert [(found.frame, found.received_ns) for found in frames_of(file)] == frames


def test_frames_are_on_disk_a_second_later_and_files_end_and_the_oldest_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILE_BYTES", 3_000)
    monkeypatch.setattr(module, "_MEBIBYTE", 20_000)
    capture = Capture(tmp_path / "frames", 1)
    frames = [f"{number * 7919 % 100_003}" * 20 for number in range(400)]
    for number, frame in enumerate(frames):
        capture.add([frame.encode()], [number])
        capture.look(float(number))
        if number == 10:
            first = sorted((tmp_path / "frames").iterdir())
            assert len(list(frames_of(first[0]))) == 11
    assert capture.status() == "400 frames recorded"
    capture.close()
    files = sorted((tmp_path / "frames").iterdir())
    assert 3 < len(files) < 10
    assert sum(file.stat().st_size for file in files) < 21_000
    found = [frame.frame.decode() for file in files for frame in frames_of(file) if frame.frame]
    assert found == frames[-len(found) :]


def test_a_disk_that_takes_nothing_is_told_and_the_rows_go_on(tmp_path: Path) -> None:
    (tmp_path / "frames").write_text("in the way")
    capture = Capture(tmp_path / "frames", 1)
    capture.add([b"{}"], [1])
    capture.look(5.0)
    assert capture.status().startswith("frames are not recorded: ")
    capture.close()


def test_plain_gzip_and_zstd_are_read_and_what_is_no_frame_is_left_out(tmp_path: Path) -> None:
    text = (
        b'configuration: x\nwss://venue/ws?key=1 <-> 1633998511.159679\nwss://venue/ws <- 1.5: {"do": 1}\n'
        b'1633998512.0633569: {"a": 1}\n1633998513: {"b": ": "}\r\nhttps://venue -> 16.5: {"c": 1}\n'
    )
    (tmp_path / "plain").write_bytes(text)
    (tmp_path / "gzip").write_bytes(gzip.compress(text))
    halves = [pa.compress(half, codec="zstd", asbytes=True) for half in (text[:90], text[90:])]
    (tmp_path / "zstd").write_bytes(b"".join(halves))
    for name in ("plain", "gzip", "zstd"):
        assert list(frames_of(tmp_path / name)) == [
            Frame(0, None),
            Frame(1_633_998_512_063_356_900, b'{"a": 1}'),
            Frame(1_633_998_513_000_000_000, b'{"b": ": "}'),
            Frame(16_500_000_000, b'{"c": 1}', "https://venue"),
        ]


@pytest.mark.parametrize("pack", [gzip.compress, lambda text: pa.compress(text, codec="zstd", asbytes=True)])
def test_a_file_that_is_cut_off_says_so(tmp_path: Path, pack: object) -> None:
    file = tmp_path / "torn"
    whole = [pack(b'%d.5: {"n": %d}\n' % (number, number)) for number in (1, 2)]  # type: ignore[operator]
    file.write_bytes(whole[0] + whole[1][:-6])
    with pytest.raises(ValueError, match="torn: cut off"):
        list(frames_of(file))


def test_the_files_are_what_zstd_itself_reads(tmp_path: Path) -> None:
    capture = Capture(tmp_path, 1)
    capture.add([b"one", b"two\nthree"], [10**18 + 1, 10**18 + 2])
    capture.close()
    [file] = tmp_path.iterdir()
    try:
        text = subprocess.run(["zstd", "-dc", str(file)], capture_output=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("no zstd on this machine")
    assert text == b"1000000000.000000001: one\n1000000000.000000002:base64 dHdvCnRocmVl\n"
