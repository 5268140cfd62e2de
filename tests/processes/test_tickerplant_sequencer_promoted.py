"""Publishers of one name, plants that burn and standbys that are promoted, as pure logic: every row is kept, once."""

import pytest
from chance import examples
from hypothesis import settings
from promotions import FEED, NOW, TRADES, Feed, Plant, Promotions, PromotionsOfJournaled
from random_rows import columns_from, trades

from plant.wire.record import encode

many = settings(max_examples=examples(150), stateful_step_count=40, deadline=None, derandomize=True, database=None)
TestPromotions = Promotions.TestCase
TestPromotions.settings = many
TestPromotionsOfJournaled = PromotionsOfJournaled.TestCase
TestPromotionsOfJournaled.settings = many


def plants(first: int, second: int, mirrored: bool = True) -> Promotions:
    """Return an old plant with so many rows of a publisher that is gone, and one promoted with the first of them."""
    made = (Promotions if mirrored else PromotionsOfJournaled)()
    made.publish(made.feeds[-1], [1] * first)
    made.reach(made.feeds[-1], 0, first, True)
    made.feeds.pop()
    made.stream = made.plants[0].journal[:second]
    made.promote()
    made.plants[0].start()  # it came back, and its mirror has not looked yet
    made.mirror(0, told=True)  # that of the other one has
    return made


def test_a_new_publisher_that_an_old_plant_welcomed_first_has_all_of_its_rows_in_the_promoted_one() -> None:
    """The promoted plant has more of the name than the old one, and not more than that with the new one's own rows."""
    made = plants(first=5, second=3)
    other = Feed(made.session())
    made.feeds.append(other)
    made.publish(other, [1] * 4)
    made.reach(other, 0, 4, True)
    assert len(made.plants[-1].journal) == 7
    new = Feed(made.session())
    made.feeds.append(new)
    made.publish(new, [1] * 6)
    made.reach(new, 1, 1, False)
    assert (new.welcomed, len(made.plants[0].journal)) == (True, 6)
    made.reach(new, 0, 9, True)
    assert made.plants[-1].ids()[7:] == new.made
    made.teardown()


@pytest.mark.parametrize("mirrored", [True, False])
def test_an_older_process_that_a_promoted_plant_welcomes_first_costs_the_newer_one_no_row(mirrored: bool) -> None:
    made = plants(first=3, second=3, mirrored=mirrored)
    elder, newer = Feed(made.session()), Feed(made.session())
    made.feeds += [elder, newer]
    made.publish(elder, [1] * 3)
    made.publish(newer, [1] * 4)
    made.reach(newer, 1, 2, False)  # none of that is mirrored
    made.reach(elder, 0, 2, True)
    made.reach(newer, 0, 9, True)
    assert made.plants[-1].ids()[3:] == elder.made[:2] + newer.made
    assert (elder.taken, newer.taken) == (True, False)
    made.teardown()


def test_an_older_process_is_refused_by_a_promoted_plant_that_has_rows_of_the_newer_one() -> None:
    made = plants(first=3, second=3)
    elder, newer = Feed(made.session()), Feed(made.session())
    made.feeds += [elder, newer]
    made.publish(newer, [1, 1])
    made.reach(newer, 0, 1, True)
    made.mirror(9, told=True)
    made.promote()
    made.publish(elder, [1])
    made.reach(elder, 0, 9, True)
    assert (elder.taken, len(made.plants[-1].journal)) == (True, 4)
    made.teardown()


def test_a_publisher_that_comes_back_to_a_plant_after_it_numbered_its_rows_anew_elsewhere_sends_none_again() -> None:
    made = plants(first=5, second=3, mirrored=False)
    feed = Feed(made.session())
    made.feeds.append(feed)
    made.publish(feed, [1, 1, 2])
    made.reach(feed, 0, 2, False)
    made.reach(feed, 1, 1, False)
    made.reach(feed, 0, 9, True)
    assert made.plants[-1].ids()[3:] == feed.made
    made.teardown()


def test_a_spool_goes_on_behind_what_another_publisher_of_its_name_published_meanwhile() -> None:
    made = plants(first=5, second=3)
    made.spooling_process_is_killed()  # it would be older than who published
    made.publish(made.spooled, [1] * 6)
    made.reach(made.spooled, 0, 2, False)
    made.feeds.append(between := Feed(made.session()))
    made.publish(between, [1] * 3)
    made.reach(between, 0, 3, True)
    made.spooling_process_is_killed()
    made.reach(made.spooled, 0, 9, True)
    spooled = made.spooled.made
    assert made.plants[-1].ids()[3:] == spooled[:2] + between.made + spooled[2:]
    made.teardown()


def test_records_that_the_plant_makes_anew_say_who_numbered_their_rows() -> None:
    plant, feed = Plant([], mirrored=False), Feed(NOW)
    columns = columns_from(TRADES, trades(1, 2) | {"price": [1.0, -1.0]})
    feed.publish(encode(TRADES, columns, FEED, 0), [1, 2])
    feed.hear(*plant.turn(b"p", [feed.hello()], True)[0][1:])
    plant.turn(b"p", list(feed.unsent(9)), True)
    assert [header.session for header, _ in plant.journal] == [NOW // 2**16] * 2
