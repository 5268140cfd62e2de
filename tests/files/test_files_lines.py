"""The lines of a text by their places in its bytes are those that cutting it into pieces gives."""

from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_lines import PlainLines

from plant.files.lines import Lines

TEXTS = st.lists(st.sampled_from(["\n", "\r", "\r\n", "\n\n", "a", "b,c", '"', "Ä", " "]), max_size=14).map("".join)


@settings(max_examples=examples(400), deadline=None)
@given(TEXTS, st.integers(0, 5), st.integers(0, 3))
def test_lines_are_those_of_a_text_cut_into_pieces(text: str, first: int, more: int) -> None:
    ours, plain = Lines.of(text.encode()), PlainLines.of(text.encode())
    assert [ours.text_of(line) for line in range(len(ours))] == [plain.text_of(line) for line in range(len(plain))]
    assert ours.filled.tolist() == plain.filled.tolist()
    assert ours.odd_quotes().tolist() == plain.odd_quotes().tolist()
    for lines in (ours, plain):
        lines.leave_out(slice(0, min(first, len(plain))))
    last = min(first + more, len(plain) - 1)
    if first < last:
        assert ours.bytes_of(first, last) == plain.bytes_of(first, last)
        for lines in (ours, plain):
            lines.join(first, last)
    assert ours.filled.tolist() == plain.filled.tolist()
    assert ours.odd_quotes().tolist() == plain.odd_quotes().tolist()
    assert ours.kept().rstrip(b"\r\n") == plain.kept().rstrip(b"\r\n")


def test_quotes_are_counted_line_by_line_over_many_lines() -> None:
    lines = ['"a","b"'] * 40_000
    lines[20_000], lines[39_999] = '"a","b', 'a""",b'
    assert Lines.of("\n".join(lines).encode()).odd_quotes().tolist() == [20_000, 39_999]
    assert Lines.of("\r\n".join(lines).encode()).odd_quotes().tolist() == [20_000, 39_999]
