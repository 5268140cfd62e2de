"""A store that speaks S3, with the conditional writes that PyArrow's file system does not know.

If-None-Match: * makes a name once, If-Match replaces what was read; AWS and SeaweedFS keep both, and a store that does
not is refused. Every body goes with its CRC-32, which the store compares.
"""

import base64
import datetime as dt
import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from archive.copies import Unfit
from archive.signing import NOTHING, quoted, signed
from archive.stores import first_line, sizes_in
from plant.checksum import crc32
from plant.errors import HistoryError, Unavailable
from plant.history.warehouse import Warehouse

CONNECT_S, ANSWER_S = 5.0, 120.0
"""Longest a connection, and an answer to a file that was sent, may take."""

MOST_BYTES = 5 * 2**30
"""What one request can put (AWS's limit)."""

_REDIRECT, _ERROR = 300, 400
_TAKEN = 412
_UNDER_WAY = 409
_SERVER_ERROR = 500
_NOT_FOUND = 404


class S3Store:
    """A bucket, or what begins with a prefix in it. Raises SettingsError if the environment lacks the keys."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._access = warehouse.access
        bucket, _, prefix = warehouse.root.partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        if warehouse.endpoint:
            self._base = f"{warehouse.endpoint}/{bucket}/"
        else:
            self._base = f"https://{bucket}.s3.{self._access.region}.amazonaws.com/"
        self._session = requests.Session()
        self._session.trust_env = not _is_local(self._base)
        self._session.auth = lambda request: request  # or a .netrc would have its word

    def put(self, name: str, path: Path, crc: int) -> bool:
        """See archive.stores.Store."""
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise Unfit(
                name,
                f"{name}: {size:,} bytes are more than one request can put into an S3 store ({MOST_BYTES:,}); end days "
                "more often ([hdb] roll_at), or archive into a folder",
            )
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(2**20):
                digest.update(chunk)
            file.seek(0)
            headers = {"If-None-Match": "*", "Content-Length": str(size)}
            answer = self._ask("PUT", name, headers, file, digest.hexdigest(), crc)
        return answer.status_code != _TAKEN

    def read(self, name: str) -> tuple[bytes, str] | None:
        """See archive.stores.Store."""
        answer = self._ask("GET", name, {})
        return None if answer.status_code == _NOT_FOUND else (answer.content, answer.headers["ETag"])

    def replace(self, name: str, data: bytes, version: str | None) -> str | None:
        """See archive.stores.Store."""
        condition = {"If-None-Match": "*"} if version is None else {"If-Match": version}
        answer = self._ask("PUT", name, condition, data, hashlib.sha256(data).hexdigest(), crc32(data))
        return None if answer.status_code == _TAKEN else answer.headers["ETag"]

    def remove(self, name: str) -> None:
        """See archive.stores.Store."""
        self._ask("DELETE", name, {})

    def sizes(self) -> dict[str, int]:
        """See archive.stores.Store."""
        return sizes_in(self._warehouse)

    def close(self) -> None:
        """See archive.stores.Store."""
        self._session.close()

    def _ask(
        self, method: str, name: str, headers: dict[str, str], body: Any = None, digest: str = NOTHING, crc: int = 0
    ) -> requests.Response:
        if body is not None:
            headers = {**headers, "x-amz-checksum-crc32": base64.b64encode(crc.to_bytes(4, "big")).decode()}
        url = f"{self._base}{quoted(self._prefix + name)}"
        now = dt.datetime.now(dt.UTC)
        try:
            answer = self._session.request(
                method,
                url,
                headers=signed(method, url, headers, self._access, digest, now),
                data=body,
                timeout=(CONNECT_S, ANSWER_S),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise Unavailable(f"{self._base} does not answer ({type(error).__name__}: {first_line(error)})") from None
        there = answer.status_code < _REDIRECT  # `ok` of requests is true of a redirect, too, which put nothing there
        if there or answer.status_code == _TAKEN or (method != "PUT" and answer.status_code == _NOT_FOUND):
            return answer
        said = f"{method} {url}: {answer.status_code} {answer.reason}: {' '.join(answer.text.split())[:300]}"
        if answer.status_code == _UNDER_WAY or answer.status_code >= _SERVER_ERROR:
            raise Unavailable(said)
        if answer.status_code < _ERROR:
            raise HistoryError(f"{said}; the bucket is of another region, or elsewhere: set AWS_REGION, or endpoint")
        raise HistoryError(f"{said}; does the bucket exist, and may these keys read and write there?")


def _is_local(url: str) -> bool:
    """Return whether no proxy of the environment is asked."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
