"""When an order that is unknown is asked for, and when it is given up."""

from trading.brokers.desk.inquiry import Inquiry


def asked_at(answered_after: float, until: float) -> list[float]:
    inquiry, now, asked, under_way = Inquiry(100.0), 100.0, [], None
    while now <= until:
        if under_way is not None and now >= under_way + answered_after:
            inquiry.answered()
            under_way = None
        if inquiry.due(now):
            inquiry.ask(now)
            asked.append(now - 100.0)
            under_way = now
        now += 0.25
    return asked


def test_it_is_asked_at_1_2_4_8_and_15_s_and_then_every_15() -> None:
    assert asked_at(0.25, 160.0) == [1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 45.0, 60.0]


def test_one_question_at_a_time_and_none_is_made_up_for() -> None:
    assert asked_at(5.0, 120.0) == [1.0, 6.0, 11.0, 16.0]


def test_only_an_absence_that_was_asked_for_late_enough_is_final() -> None:
    inquiry = Inquiry(0.0)
    inquiry.ask(14.9)
    assert not inquiry.absent()
    inquiry.ask(15.0)
    assert inquiry.absent()
