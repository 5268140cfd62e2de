"""A repeat gets the first answer; rows of the audit have no secret, and no more than they may."""

import json
from typing import Any

import pytest

from api.access.audit import ANSWER_BYTES, BODY_BYTES, KEPT_NS, Audit, Request, row_of, sha_of, without_secrets

BODY = b'{"name": "desk"}'


def asked(**more: Any) -> Request:
    terms = {"caller": "k1", "method": "POST", "route": "/api/v1/keys", "subject": "", "body_sha": sha_of(BODY)}
    return Request(**{**terms, "idempotency_key": "once", **more})


def row(request: Request, time: int = 10, status: int = 201, seq: int = 7, subject: str = "") -> dict[str, Any]:
    found = row_of(request, time, "127.0.0.1", status, BODY, b'{"id": "a"}', seq)
    return {**found, "subject": subject or found["subject"]}


def test_the_same_request_is_known_and_another_is_told_apart() -> None:
    audit = Audit()
    audit.note(row(asked(), subject="made-1"))
    found = audit.earlier(asked(), 20)
    assert found is not None
    assert asked().same(found)
    assert not asked(body_sha=sha_of(b"{}")).same(found)
    assert not asked(method="DELETE").same(found)
    assert not asked(subject="made-2", method="POST").same(found)
    assert audit.earlier(asked(caller="k2"), 20) is None, "another key's requests are none of his"
    assert audit.earlier(asked(idempotency_key="twice"), 20) is None


def test_a_repeat_about_much_is_the_same_request() -> None:
    long = "?" + "&".join(f"sym=S{i:03}" for i in range(100))
    assert asked(subject=long).same(row(asked(subject=long)))
    assert not asked(subject=long).same(row(asked(subject="?sym=S001")))


def test_an_answer_without_a_secret_is_kept_as_it_was_given() -> None:
    answer = b'{"id":"flip","parameters":{"key":2,"token":"BTC","size":1.0}}'
    assert row_of(asked(), 10, "", 201, BODY, answer, 7, secret=False)["answer"] == answer.decode()
    told = b'{"id":"a","key":"tp_a_' + b"x" * 43 + b'"}'
    assert json.loads(row_of(asked(), 10, "", 201, BODY, told, 7)["answer"]) == {"id": "a", "key": "***"}
    assert json.loads(row_of(asked(), 10, "", 201, BODY, told, 7, secret=False)["answer"])["key"] == "tp_a_***"


def test_a_repeat_is_known_for_a_day() -> None:
    audit = Audit()
    audit.note(row(asked()))
    assert audit.earlier(asked(), 10 + KEPT_NS - 1) is not None
    assert audit.earlier(asked(), 10 + KEPT_NS) is None
    later = row(asked(), 20 + KEPT_NS, 200)
    audit.note(later)
    assert audit.earlier(asked(), 30 + KEPT_NS) == later


@pytest.mark.parametrize("status", [503, 504, 500, 429])
def test_an_attempt_that_did_not_end_is_followed_by_one_that_did(status: int) -> None:
    audit, done = Audit(), row(asked(), 12)
    audit.note(row(asked(), 11, status))
    audit.note(done)
    audit.note(row(asked(), 13, 422))
    assert audit.earlier(asked(), 20) == done, "the first that ended counts"


def test_secrets_are_left_out_of_what_is_kept() -> None:
    key = f"tp_0a1b_{'x' * 43}"
    told = without_secrets(json.dumps({"key": key, "deep": [{"password": "p"}], "note": f"use {key}!"}))
    assert json.loads(told) == {"key": "***", "deep": [{"password": "***"}], "note": "use tp_0a1b_***!"}
    assert without_secrets(f"not JSON {key}") == "not JSON tp_0a1b_***"
    assert json.loads(without_secrets('{"key": null, "monkey": "m"}')) == {"key": None, "monkey": "m"}


def test_long_bodies_and_answers_are_cut() -> None:
    long = json.dumps({"text": "\u00e4" * 50_000}, ensure_ascii=False).encode()
    found = row_of(asked(), 1, "", 200, long[: 8 * BODY_BYTES], long, 0)
    assert len(found["body"].encode()) <= BODY_BYTES
    assert len(found["answer"].encode()) <= ANSWER_BYTES
    assert found["answer"].endswith("...")
    assert row_of(asked(), 1, "", 200, b"x" * 10**6, b"", 0)["body"] == "(1,000,000 bytes)"
