"""What OpenAPI says of the service is true, tried by Schemathesis: no 500, no status that is not declared."""

import os
from collections.abc import Iterator

import pytest
import schemathesis
import service_plant
from chance import SOAK
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case
from schemathesis.checks import CHECKS
from service_plant import ServicePlant

FEW, MANY = 3, 150

LEFT_OUT = ("positive_data_acceptance", "ignored_auth")
"""A text that a schema allows may still be no time, no SQL, no cursor. And who sends wrong keys is soon told to wait,
with 429: that each route asks for a key is tried in test_service.py."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServicePlant]:
    os.environ["no_proxy"] = "127.0.0.1"
    with service_plant.started(tmp_path_factory.mktemp("service") / "plant", "hdb", "processor", "trading") as plant:
        yield plant


@pytest.mark.timeout(1800 if SOAK else 300)
def test_every_answer_is_declared_and_none_is_an_error_of_ours(service: ServicePlant) -> None:
    document = service.get("/api/v1/openapi.json", "read").json()
    schema = schemathesis.openapi.from_dict(document)
    excluded = [check for check in CHECKS.get_all() if check.__name__ in LEFT_OUT]
    assert len(excluded) == len(LEFT_OUT), "Schemathesis calls its checks otherwise"
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @seed(20261120)
        @settings(
            max_examples=MANY if SOAK else FEW,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def try_it(case: Case) -> None:
            headers = service.headers("admin")
            answer = case.call(base_url=service.url, headers=headers)
            assert answer.status_code != 500, answer.text
            case.validate_response(answer, headers=headers, excluded_checks=excluded)

        try_it()
        tried += 1
    assert tried == sum(len(methods) for methods in document["paths"].values())
    assert "request failed" not in service.log("api")
