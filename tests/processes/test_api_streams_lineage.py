"""Which places in a journal are taken for places in ours."""

from api.streams.lineage import Lineage


def followed(*steps: tuple[int, int]) -> Lineage:
    lineage = Lineage()
    for epoch, cursor in steps:
        lineage.follow(epoch, cursor)
    return lineage


def test_what_was_handed_on_in_this_epoch_is_proved() -> None:
    lineage = followed((7, 100), (7, 130))
    assert lineage.proves(0, "7")
    assert lineage.proves(130, "7")
    assert not lineage.proves(131, "7")
    assert not lineage.proves(-1, "7")


def test_another_plant_proves_nothing() -> None:
    lineage = followed((7, 100))
    assert not any(lineage.proves(50, epoch) for epoch in ("8", "", "x", "07", "-7"))


def test_before_the_plant_is_known_nothing_is_proved() -> None:
    assert not Lineage().proves(1, "0")
    assert not followed((0, 50)).proves(1, None)


def test_an_epoch_that_ended_is_proved_as_far_as_the_stream_saw_it() -> None:
    lineage = followed((7, 100), (0, 100), (8, 140))
    assert lineage.proves(100, "7")
    assert not lineage.proves(101, "7")  # it may have been lost, and the number given to another row
    assert lineage.proves(140, "8")


def test_what_an_answer_told_ahead_of_the_stream_is_proved_in_its_epoch_alone() -> None:
    lineage = followed((7, 100))
    lineage.tell(120)
    assert lineage.proves(120, "7")
    assert not lineage.proves(121, "7")
    assert lineage.follow(8, 150)  # clients know rows that the new journal may not have
    assert not lineage.proves(120, "7")
    assert not lineage.follow(9, 160)


def test_without_an_epoch_it_must_be_behind_our_own_beginning() -> None:
    lineage = followed((7, 100), (7, 130))
    assert lineage.proves(100, None)
    assert not lineage.proves(99, None)
