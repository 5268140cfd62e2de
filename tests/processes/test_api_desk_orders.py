"""An order's body as the arguments of a command."""

from typing import Any

import pytest

from api.answers.problems import Problem
from api.desk.orders import OrderBody
from plant.errors import SettingsError
from plant.state.commands import terms_of


def test_a_body_becomes_what_the_trader_understands() -> None:
    body = OrderBody(sym="A", side="buy", qty="15% equity", limit_price=9.5, time_in_force="gtc", client_order_id="x")
    arguments = body.arguments("paper")
    assert arguments == {"side": "buy", "qty": "15% equity", "limit_price": 9.5, "time_in_force": "gtc",
                         "client_order_id": "x", "account": "paper"}  # fmt: skip
    assert terms_of(arguments)["tif"] == "gtc"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"side": "long", "qty": 1}, "$.side"),
        ({}, "$"),
        ({"qty": 1, "notional": 1}, "$"),
        ({"qty": 0.0}, "$.qty"),
        ({"qty": float("nan")}, "$.qty"),
        ({"notional": float("inf")}, "$.notional"),
        ({"qty": 1, "stop_price": -1}, "$.stop_price"),
        ({"qty": 1, "type": "stop"}, "$"),
        ({"qty": 1, "time_in_force": "now"}, "$.time_in_force"),
    ],
)
def test_what_no_order_can_be_is_refused_with_its_place(body: dict[str, Any], place: str) -> None:
    with pytest.raises(Problem) as caught:
        OrderBody(**{"sym": "A", "side": "buy", **body}).arguments("paper")
    assert caught.value.code == "invalid"
    assert [each["place"] for each in caught.value.more["errors"]] == [place]


def test_what_passes_here_passes_at_the_trader() -> None:
    for body in ({"qty": 1}, {"notional": 100.0, "stop_price": 3.0, "type": "stop"}, {"qty": 1, "trail": 2.0}):
        arguments = OrderBody(sym="A", side="sell", **body).arguments("paper")  # type: ignore[arg-type]
        try:
            terms_of(arguments)
        except SettingsError as error:
            pytest.fail(f"{body}: {error}")
