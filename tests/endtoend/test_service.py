"""The service in front of a plant: what is asked over HTTP is what the plant has."""

from collections.abc import Iterator

import pytest
import service_plant
from service_plant import ServicePlant


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServicePlant]:
    with service_plant.started(tmp_path_factory.mktemp("service") / "plant") as plant:
        yield plant


def test_trades_of_a_symbol_are_those_of_the_plant(service: ServicePlant) -> None:
    answer = service.get("/api/v1/trades", "read", sym="AAPL").json()
    assert [row["price"] for row in answer["rows"]] == [190.0, 190.25, 190.5, 190.75]
    assert answer["rows"][1]["time"] == "2026-11-20T14:30:20Z"


def test_a_key_that_is_none_is_refused(service: ServicePlant) -> None:
    answer = service.client.get("/api/v1/trades?sym=AAPL", headers={"Authorization": f"Bearer {service.keys['read']}x"})
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthenticated"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
