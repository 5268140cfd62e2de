"""Who asks: by a key, by a ticket, or nobody in particular; and whether he may."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from api.access.keys import KeyRing, id_in
from api.access.quota import LOGIN, Quota
from api.answers.problems import Problem
from plant.runtime.service import ApiSettings
from plant.state.keys import may
from plant.state.newest import Row

ANONYMOUS = "anonymous"

SECRET_TABLES = ("api_keys", "audit")
"""Tables for the role admin, at every door."""

CHALLENGE = {"WWW-Authenticate": "Bearer"}


@dataclass(frozen=True)
class Caller:
    """Who asks. `id` of the key, or ANONYMOUS; `name` of the key; `address` of his machine.

    Without a key, on loopback in auto mode, one may read, draw, and trade on paper: the role is "trade", `keyed` False.
    """

    id: str
    role: str
    name: str
    address: str

    @property
    def keyed(self) -> bool:
        """Whether he has a key. Live orders, keys, risk and code need one."""
        return self.id != ANONYMOUS

    @property
    def counted(self) -> str:
        """By what his requests are counted: his key, else his address."""
        return self.id if self.keyed else f"address {self.address}"

    @property
    def who(self) -> str:
        """How rows name him, e.g. in annotations' `source` and commands' `who`."""
        return f"user:{self.name or self.id}"

    def may(self, role: str) -> bool:
        """Return whether his role contains another."""
        return may(self.role, role)

    def need(self, role: str) -> None:
        """Raise Problem forbidden, or unauthenticated if he has no key, if he may not do what a role may."""
        if self.may(role):
            return
        if not self.keyed:
            raise Problem("unauthenticated", f"this needs a key of role {role}", headers=CHALLENGE)
        raise Problem("forbidden", f"this needs the role {role}; the key {self.id} has the role {self.role}")

    def need_key(self, what: str) -> None:
        """Raise Problem unauthenticated if he has no key."""
        if not self.keyed:
            raise Problem("unauthenticated", f"{what} needs a key, also on this machine", headers=CHALLENGE)

    def need_table(self, name: str) -> None:
        """Raise Problem forbidden if he may not see a table."""
        if name in SECRET_TABLES and not self.may("admin"):
            raise Problem("forbidden", f"the table {name} is for keys of role admin")


class Access:
    """Tells who asks; `threads` is where keys are checked, one at a time."""

    def __init__(self, settings: ApiSettings, ring: KeyRing, quota: Quota) -> None:
        self.settings, self.ring, self.quota = settings, ring, quota
        self._threads = ThreadPoolExecutor(1, "argon2")
        self._turn = asyncio.Lock()

    async def caller(self, headers: Mapping[str, str], address: str) -> Caller:
        """Return who asks by the header Authorization. Raises Problem unauthenticated, rate_limited or unavailable."""
        given = headers.get("authorization", "")
        if not given:
            return self.nobody(address)
        scheme, _, key = given.partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Problem("unauthenticated", "Authorization must be: Bearer tp_...", headers=CHALLENGE)
        return await self.by_key(key.strip(), address)

    def nobody(self, address: str) -> Caller:
        """Return a caller without a key. Raises Problem unauthenticated where everybody needs one."""
        if self.settings.auth == "keys":
            raise Problem("unauthenticated", "a key is needed: Authorization: Bearer tp_...", headers=CHALLENGE)
        return Caller(ANONYMOUS, "trade", "", address)

    async def by_key(self, key: str, address: str) -> Caller:
        """Return the caller who has a key. Raises Problem unauthenticated for one that is none, expired or revoked."""
        if not self.ring.loaded:
            raise Problem(
                "unavailable", "keys are not known yet: the plant does not answer", headers={"Retry-After": "1"}
            )
        row = self.ring.remembered(key)
        if row is None:
            async with self._turn:  # one at a time: else many wrong keys at once would all be looked at
                row = self.ring.remembered(key)
                if row is None:
                    row = await self._checked(key, address)
        return Caller(row["sym"], row["role"], row["name"], address)

    async def _checked(self, key: str, address: str) -> Row:
        if not (self.quota.left(LOGIN, address) or self.ring.seen(key)):
            raise self.quota.refusal(LOGIN, address)
        row = await asyncio.get_running_loop().run_in_executor(self._threads, self.ring.verify, key)
        if row is None:
            self.quota.hit(LOGIN, address)
            raise FailedLogin(id_in(key))
        return row

    def close(self) -> None:
        """Check no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class FailedLogin(Problem):
    """A key that is none, or may not be used; `key` is the id that it names."""

    def __init__(self, key: str) -> None:
        super().__init__(
            "unauthenticated", "this key is none of this plant, was revoked, or has expired", headers=CHALLENGE
        )
        self.key = key
