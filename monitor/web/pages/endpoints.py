"""The pages as routes: what a browser may ask for and say, and what it is told when that cannot be done."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import parse_qsl

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from monitor.core.errors import NoInputError
from monitor.web.api.answers import ID_PATTERN, Feedback
from monitor.web.forgery import Tokens, demand_speaker
from monitor.web.pages.assets import Asset, asset_route, load_assets
from monitor.web.pages.episode import FormState, episode_page, missing_page
from monitor.web.pages.status import PageQuery, status_page
from monitor.web.requests import Readers, body_of, user_of
from monitor.web.site import Site

FORM_TYPE = "application/x-www-form-urlencoded"
STALE = "This page was made before the monitor was started anew; here it is again, please say it once more."
ORIGIN = {"Referrer-Policy": "same-origin"}
"""Without it browsers call the origin of our own form "null", as they do those of other sites."""


class Pages:
    """What the handlers share. Each of them makes its answer beside the event loop."""

    def __init__(self, site: Site, readers: Readers) -> None:
        self._site = site
        self._readers = readers
        self._assets: Mapping[str, Asset] = load_assets()
        self._tokens = Tokens()

    def routes(self) -> Sequence[Route]:
        return [
            Route("/", self.status, methods=["GET"]),
            Route("/alerts/{id}", self.episode, methods=["GET"]),
            Route("/alerts/{id}/label", self.label, methods=["POST"]),
            *map(asset_route, self._assets.values()),
        ]

    async def status(self, request: Request) -> Response:
        given = {name: value for name, value in request.query_params.items() if value}
        try:
            query = msgspec.convert(given, PageQuery, strict=False)
        except msgspec.ValidationError as error:
            raise HTTPException(400, str(error)) from None
        return await self._readers.run(partial(self._status, query, given))

    async def episode(self, request: Request) -> Response:
        alert_id = request.path_params["id"]
        return await self._readers.run(partial(self._episode, alert_id, self._form(alert_id, user_of(request))))

    async def label(self, request: Request) -> Response:
        demand_speaker(request)
        alert_id, user = request.path_params["id"], user_of(request) or ""
        form = await _form_of(request)
        if not self._tokens.holds(form.get("token", ""), user, alert_id):
            again = self._form(alert_id, user, form.get("note", ""), STALE)
            return await self._readers.run(partial(self._episode, alert_id, again, status=403))
        return await self._readers.run(partial(self._say, alert_id, _feedback(form), user))

    def _status(self, query: PageQuery, given: Mapping[str, str]) -> Response:
        return HTMLResponse(status_page(self._site, self._assets, query, given))

    def _episode(self, alert_id: str, form: FormState, *, status: int = 200) -> Response:
        found = self._site.desk.detail(alert_id) if re.fullmatch(ID_PATTERN, alert_id) else None
        if found is None:
            return HTMLResponse(missing_page(self._site, self._assets, alert_id), 404)
        return HTMLResponse(episode_page(self._site, self._assets, found, form), status, ORIGIN)

    def _say(self, alert_id: str, feedback: Feedback, user: str) -> Response:
        try:
            self._site.desk.say(alert_id, feedback, user)
        except NoInputError:
            return HTMLResponse(missing_page(self._site, self._assets, alert_id), 404)
        return RedirectResponse(f"../{alert_id}#feedback-title", 303)

    def _form(self, alert_id: str, user: str | None, note: str = "", refusal: str = "") -> FormState:
        return FormState(user, self._tokens.token(user or "", alert_id), note, refusal)


async def _form_of(request: Request) -> dict[str, str]:
    """What a form says; of a name that is given twice the last one."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise HTTPException(415, f"the body has to be {FORM_TYPE}")
    text = (await body_of(request)).decode("utf-8", "replace")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=10))
    except ValueError as error:
        raise HTTPException(400, str(error)) from None


def _feedback(form: Mapping[str, str]) -> Feedback:
    given = {"label": form.get("label", ""), "note": form.get("note", "").strip()}
    try:
        return msgspec.convert(given, Feedback)
    except msgspec.ValidationError as error:
        raise HTTPException(400, str(error)) from None
