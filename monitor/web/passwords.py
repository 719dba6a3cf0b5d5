"""Passwords are checked at the price bcrypt is made for, once; who has given the right one is known from then on.

A check takes tens to hundreds of milliseconds of a processor on purpose. It runs in one thread beside the event loop,
few wait for it, and one address may cause only some: guessing is slow and costs nobody else anything.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

from monitor.web.pace import Buckets, Pace
from monitor.web.web_config import cost

MOST_WAITING = 8
"""Checks that wait or run at a time; at 0.25 s each, the last one is done within two seconds."""
ATTEMPTS = Pace(interval=6.0, burst=20)
"""Of one address: twenty passwords at once, ten a minute in the long run. A known password is no attempt."""
BCRYPT_BYTES = 72
"""bcrypt reads no more of a password, and those who make hashes cut it there."""


class TooManyAttemptsError(Exception):
    """It was not checked: wait so many seconds first."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Passwords:
    """Tells right passwords from wrong ones. For one event loop; ``close`` ends its thread.

    Names that are not a user's cost the same as those that are, so that time tells nobody which there are; equal costs
    of all hashes provided.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)  # without it the digests of what was right would tell the passwords
        self._right: dict[str, bytes] = {}  # user: digest; as many as there are users
        self._running: dict[bytes, asyncio.Future[bool]] = {}
        self._attempts = Buckets()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="password")
        self._decoys: dict[int, str] = {}

    async def right(self, users: Mapping[str, str], name: str, password: bytes, address: str) -> bool:
        """Whether this is the user's password.

        Raises:
            TooManyAttemptsError: this address has tried too many, or too many others wait.
        """
        hashed = users.get(name)
        digest = self._digest(name, hashed or "", password)
        if hmac.compare_digest(self._right.get(name, b"").ljust(len(digest)), digest):
            return True
        if hashed is None:
            await self._checked(digest, self._decoy(users), password, address)
            return False
        self._right = {user: known for user, known in self._right.items() if user in users}
        return await self._checked(digest, hashed, password, address, user=name)

    def close(self) -> None:
        """End the thread after the check that is running."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _checked(
        self, digest: bytes, hashed: str, password: bytes, address: str, user: str | None = None
    ) -> bool:
        """A browser asks for a page and its parts at once: the same question is worked out once."""
        if digest not in self._running:
            self._admit(address)
            future = asyncio.get_running_loop().run_in_executor(self._thread, _matches, password, hashed)
            self._running[digest] = future
            future.add_done_callback(lambda done: self._end(done, digest, user))
        check = self._running[digest]
        await asyncio.wait([check])  # whoever goes away meanwhile does not end it for the others
        if check.cancelled():  # the server stops
            raise TooManyAttemptsError(1.0)
        return check.result()

    def _end(self, check: asyncio.Future[bool], digest: bytes, user: str | None) -> None:
        """Known in the same step as it no longer runs: whoever asks between the two would have it worked out again."""
        del self._running[digest]
        if user is not None and not check.cancelled() and check.exception() is None and check.result():
            self._right[user] = digest

    def _admit(self, address: str) -> None:
        if len(self._running) >= MOST_WAITING:
            raise TooManyAttemptsError(1.0)
        if seconds := self._attempts.wait(address, ATTEMPTS, monotonic()):
            raise TooManyAttemptsError(seconds)

    def _digest(self, name: str, hashed: str, password: bytes) -> bytes:
        # Names and hashes have no NUL. With the hash in it, a changed one makes every known password unknown.
        return hashlib.blake2b(b"\0".join((name.encode(), hashed.encode(), password)), key=self._key).digest()

    def _decoy(self, users: Mapping[str, str]) -> str:
        """A hash that no password has, as dear as the users' dearest."""
        dearest = max(map(cost, users.values()))
        return self._decoys.setdefault(dearest, f"$2b${dearest:02d}${'.' * 21}{'.' * 32}")


def _matches(password: bytes, hashed: str) -> bool:
    import bcrypt

    return bcrypt.checkpw(password[:BCRYPT_BYTES], hashed.encode())
