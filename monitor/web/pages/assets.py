"""The style sheet, the script and the icon: small files of our own, named by their content, so that they are kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

MEDIA_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
NAMES = ("style.css", "live.js", "icon.svg")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file; ``path`` has the hash of its content in it, so that it never changes."""

    path: str
    content: bytes
    media_type: str

    @property
    def etag(self) -> str:
        """The hash in the path."""
        return f'"{self.path.split(".")[1]}"'


def load_assets() -> dict[str, Asset]:
    """Every file, by its name."""
    return {name: _load(name) for name in NAMES}


def _load(name: str) -> Asset:
    content = files("monitor.web.pages").joinpath("static", name).read_bytes()
    stem, _, suffix = name.rpartition(".")
    digest = hashlib.blake2b(content, digest_size=8).hexdigest()
    return Asset(f"static/{stem}.{digest}.{suffix}", content, MEDIA_TYPES[suffix])


def asset_route(asset: Asset) -> Route:
    """Serves it, to be kept for a year; who has it is told so in a few bytes."""
    headers = {"ETag": asset.etag, "Cache-Control": "public, max-age=31536000, immutable"}

    async def serve(request: Request) -> Response:
        if asset.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(asset.content, headers=headers, media_type=asset.media_type)

    return Route(f"/{asset.path}", serve, methods=["GET"])
