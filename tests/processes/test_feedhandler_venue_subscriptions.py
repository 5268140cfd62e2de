"""What is asked for on a connection: at the venue's pace, once, again on the next one, less what it does not have."""

from collections.abc import Sequence
from typing import Any

from made_up_venue import MadeUpSettings

from feedhandler.venue.dialogue import Dialogue
from feedhandler.venue.events import Topic
from feedhandler.venue.subscriptions import Subscriptions

A, B, C = (Topic("trades", sym) for sym in "ABC")


class Slow(Dialogue):
    """Two messages a second, one topic each."""

    messages_per_s = 2.0
    ready_at_once = False

    def opening(self) -> list[str]:
        return ["login"]

    def subscribe(self, added: Sequence[Topic], whole: Sequence[Topic]) -> list[str]:
        return [f"+{topic.sym} of {len(whole)}" for topic in added]

    def unsubscribe(self, removed: Sequence[Topic], whole: Sequence[Topic]) -> list[str]:
        return [f"-{topic.sym} of {len(whole)}" for topic in removed]


class Mute(Slow):
    """One that answers no subscription."""

    acknowledges = False
    ready_at_once = True


def opened(kind: type[Dialogue], *topics: Topic) -> Subscriptions:
    found = Subscriptions(topics)
    found.opened(kind(MadeUpSettings()), 0.0)
    return found


def test_messages_go_out_at_the_venues_pace_behind_the_login_and_its_answer() -> None:
    wanted = opened(Slow, A, B, C)
    assert wanted.messages(0.0) == []
    wanted.ready()
    assert wanted.messages(0.0) == ["+A of 3"]
    assert wanted.messages(0.4) == []
    assert wanted.messages(0.5) == ["+B of 3"]
    assert wanted.messages(1.0) == ["+C of 3"]
    assert wanted.messages(9.0) == []


def test_it_is_subscribed_once_all_is_acknowledged_or_overdue() -> None:
    wanted = opened(Slow, A, B)
    wanted.ready()
    wanted.messages(5.0)
    assert not wanted.subscribed()
    wanted.acknowledged([A, C])
    assert not wanted.subscribed()
    assert wanted.missing(9.9) == []
    assert wanted.missing(10.0) == [B]
    assert wanted.subscribed(wanted.missing(10.0))
    wanted.acknowledged([B])
    assert wanted.subscribed()


def test_a_venue_that_answers_nothing_is_subscribed_when_all_was_sent() -> None:
    wanted = opened(Mute, A, B, C)
    assert wanted.messages(1.0) == ["+A of 3", "+B of 3"]
    assert not wanted.subscribed()
    assert wanted.messages(2.0) == ["+C of 3"]
    assert wanted.subscribed()
    assert wanted.missing(99.0) == []


def test_changes_are_asked_for_on_the_same_connection_and_all_on_the_next() -> None:
    wanted = opened(Mute, A, B)
    wanted.messages(5.0)
    wanted.want([B, C])
    assert wanted.messages(10.0) == ["-A of 1", "+C of 2"]
    wanted.opened(Mute(MadeUpSettings()), 20.0)
    assert wanted.messages(30.0) == ["+B of 2", "+C of 2"]


def test_what_the_venue_does_not_have_is_news_once_and_not_asked_for_again_until_it_is_wanted_anew() -> None:
    wanted = opened(Mute, A, B)
    wanted.messages(5.0)
    assert wanted.is_unknown(B, "none")
    assert not wanted.is_unknown(B, "none")
    assert not wanted.is_unknown(C, "nobody asked")
    assert wanted.subscribed()
    wanted.opened(Mute(MadeUpSettings()), 10.0)
    assert wanted.messages(15.0) == ["+A of 1"]
    wanted.want([A])
    wanted.want([A, B])
    assert wanted.messages(20.0) == ["+B of 2"]


def test_an_answer_to_the_venue_goes_first() -> None:
    wanted: Any = opened(Mute, A)
    wanted.reply("pong")
    assert wanted.messages(5.0) == ["pong"]
    assert wanted.messages(6.0) == ["+A of 1"]
