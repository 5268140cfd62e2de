"""Requests are signed as AWS's own examples are (the page that archive.signing names)."""

import datetime as dt
import hashlib

from archive.signing import NOTHING, quoted, signed
from plant.history.warehouse import Access

EXAMPLES = Access("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
THEN = dt.datetime(2013, 5, 24, tzinfo=dt.UTC)
BUCKET = "https://examplebucket.s3.amazonaws.com"


def test_a_get_is_signed_as_in_the_example() -> None:
    found = signed("GET", f"{BUCKET}/test.txt", {"Range": "bytes=0-9"}, EXAMPLES, NOTHING, THEN)
    assert found["Authorization"].endswith("Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    assert found["x-amz-date"] == "20130524T000000Z"


def test_a_put_is_signed_as_in_the_example_its_path_quoted() -> None:
    body = hashlib.sha256(b"Welcome to Amazon S3.").hexdigest()
    headers = {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}
    found = signed("PUT", f"{BUCKET}/{quoted('test$file.text')}", headers, EXAMPLES, body, THEN)
    assert found["Authorization"].endswith("Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")


def test_the_parameters_of_a_query_are_signed_in_their_order() -> None:
    found = signed("GET", f"{BUCKET}/?prefix=J&max-keys=2", {}, EXAMPLES, NOTHING, THEN)
    assert found["Authorization"].endswith("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")


def test_a_secret_is_not_shown() -> None:
    assert "wJalr" not in repr(EXAMPLES)
