"""Signatures of requests to an S3 store, version 4.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, whose examples are the tests'.
PyArrow's file system signs what it sends by itself, but knows no conditional writes; so these requests are ours.
"""

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from plant.history.warehouse import Access

NOTHING = hashlib.sha256(b"").hexdigest()
"""The hash of a request without a body."""


def signed(
    method: str, url: str, headers: Mapping[str, str], access: Access, payload_hash: str, now: dt.datetime
) -> dict[str, str]:
    """Return the headers of a request with those that sign it.

    url            its path is already quoted as it is sent
    payload_hash   SHA-256 of the body, in hex
    now            UTC
    """
    address = urlsplit(url)
    moment, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    sent = {**headers, "x-amz-date": moment, "x-amz-content-sha256": payload_hash}
    if access.token:
        sent["x-amz-security-token"] = access.token
    of_request = {"host": address.netloc, **{name.lower(): value.strip() for name, value in sent.items()}}
    names = sorted(of_request)
    canonical = "\n".join(
        (
            method,
            address.path or "/",
            "&".join(sorted(address.query.split("&"))) if address.query else "",
            *(f"{name}:{of_request[name]}" for name in names),
            "",
            ";".join(names),
            payload_hash,
        )
    )
    scope = f"{day}/{access.region}/s3/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{access.secret}".encode()
    for part in (day, access.region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    sent["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={access.key}/{scope},SignedHeaders={';'.join(names)},Signature={signature}"
    )
    return sent


def quoted(path: str) -> str:
    """Return a path as it is sent and signed: all but letters, digits, - . _ ~ and / as %XX."""
    return quote(path, safe="/-._~")
