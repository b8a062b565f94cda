"""Answers that replace the application's: Kanidm's error, a proxy's page, nothing, half of a list, far too much."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from http.client import responses as PHRASES  # noqa: N812 - a constant, whatever its name

from starlette.responses import HTMLResponse, Response, StreamingResponse

from server_stub.misbehaviour.api_rule import ApiAct

WITHOUT_BODY = {204, 205, 304}
ERRORS = {401: "notauthenticated", 403: "accessdenied", 404: "nomatchingentries"}
HALF_A_LIST = b'{"schemas":[],"totalResults":1,"resources":[{"schemas":[],"id":"20febc63-5f98-4ce8-95'
PAGE = """\
<html>
<head><title>{0}</title></head>
<body>
<center><h1>{0}</h1></center>
<hr><center>nginx</center>
</body>
</html>
"""
HUGE_CHUNKS, CHUNK = 1536, 64 * 1024  # 96 MiB: a list of 17,000 messages is 5.5 MB


def canned(act: ApiAct) -> Response:
    """Return the answer that a rule with a status asks for."""
    status = act.status or 200
    response = _response(status, "empty" if status in WITHOUT_BODY else act.body)
    if act.retry_after is not None:
        response.headers["retry-after"] = str(act.retry_after)
    if status == 401:
        response.headers["www-authenticate"] = "Bearer"
    return response


def _response(status: int, body: str) -> Response:
    match body:
        case "html":
            return HTMLResponse(PAGE.format(f"{status} {PHRASES.get(status, '')}".strip()), status)
        case "empty":
            return Response(status_code=status)
        case "truncated":
            return Response(HALF_A_LIST, status, media_type="application/json")
        case "huge":
            return StreamingResponse(_huge(), status, media_type="application/json")
    return Response(json.dumps(ERRORS.get(status, "backend")), status, media_type="application/json")


async def _huge() -> AsyncIterator[bytes]:
    # It is a list all the same, for those who would read it to the end.
    yield b'{"schemas":[],"totalResults":0,"resources":['
    for _ in range(HUGE_CHUNKS):
        yield b" " * CHUNK
    yield b"]}"
