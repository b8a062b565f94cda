"""One POST over HTTP, on a connection of its own: to a webhook of alerts, to a token endpoint.

A redirect is not followed: the URL, the headers and what is posted may be secrets, and would go along. The answer is
read up to a limit. What the network does is said in words; it ends in `NotPosted`.

httpx is imported when the first post goes: most senders post to nobody, and hold it for weeks if it is there.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mail_sender import __version__
from mail_sender.errors import causes
from mail_sender.names.secret import Secret
from mail_sender.tls import contexts, fault
from mail_sender.tls.pem import BadPem
from mail_sender.web import network_words

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class Target:
    """Where to post: `url` is a secret as a whole, `place` is what is shown of it.

    The certificates in `ca_path` are trusted, too; `proxy` is the URL of an HTTP proxy on the way. `url_key` and
    `ca_key` are the keys of the configuration that have URL and CA.
    """

    url: Secret
    place: str
    url_key: str
    ca_key: str
    ca_path: Path | None = None
    proxy: Secret | None = None

    @property
    def host(self) -> str:
        """The host of the URL."""
        return urlsplit(self.url.get_secret_value()).hostname or ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: its status, its headers with names in lower case, and the beginning of its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """How long all of it may take, in seconds, and how many octets of the answer are read.

    Where `body` is set, the body has so many seconds, and what has come by then is the answer.
    """

    seconds: float
    octets: int
    body: float | None = None


class NotPosted(Exception):
    """Nothing was answered: what happened, and what to do; no secret is in it.

    `is_lasting` is true where a person must repair it, such as a certificate.
    """

    def __init__(self, detail: str, advice: str, *, is_lasting: bool = False) -> None:
        super().__init__(f"{detail}; {advice}")
        self.detail, self.advice, self.is_lasting = detail, advice, is_lasting


async def post(target: Target, content: bytes, headers: Mapping[str, str], limits: Limits) -> Answer:
    """Post, and return the answer. Raises `NotPosted`."""
    import httpx  # noqa: PLC0415 - see the module's text

    try:
        async with asyncio.timeout(limits.seconds):
            return await _post(target, content, headers, limits)
    except (BadPem, OSError) as error:
        if isinstance(error, BadPem) or error.filename is not None:
            raise NotPosted(f"{target.ca_path} {error}", f"correct {target.ca_key}", is_lasting=True) from None
        raise _network_fault(target, error) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _network_fault(target, error) from None


async def _post(target: Target, content: bytes, headers: Mapping[str, str], limits: Limits) -> Answer:
    from http.cookiejar import CookieJar, DefaultCookiePolicy  # noqa: PLC0415 - see the module's text

    import httpx  # noqa: PLC0415 - as above

    client = httpx.AsyncClient(
        headers={"user-agent": f"mail-sender/{__version__}", "accept-encoding": "identity"},
        verify=contexts.context(target.ca_path),
        timeout=None,  # noqa: S113 - `post` has one for all of it
        follow_redirects=False,
        proxy=target.proxy.get_secret_value() if target.proxy else None,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        trust_env=False,  # else ALL_PROXY and .netrc would have a say, too
    )
    async with (
        client,
        client.stream(
            "POST",
            target.url.get_secret_value(),
            content=content,
            headers=dict(headers),
            extensions={"sni_hostname": contexts.server_name(target.host)},
        ) as response,
    ):
        body = bytearray()
        if limits.body is None:
            await _read(response, body, limits.octets)
        else:  # the status says enough where the rest does not come
            with suppress(TimeoutError, httpx.HTTPError):
                async with asyncio.timeout(limits.body):
                    await _read(response, body, limits.octets)
        return Answer(response.status_code, dict(response.headers), bytes(body[: limits.octets]))


async def _read(response: "httpx.Response", body: bytearray, most: int) -> None:
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) >= most:
            return


# What the network does, in words


def _network_fault(target: Target, error: BaseException) -> NotPosted:
    place = f"{target.place} (through the proxy of the environment)" if target.proxy else target.place
    if (found := fault.among(causes(error))) is not None:
        peer = fault.Peer(target.host, target.url_key, target.ca_key, "have it ask for none")
        detail, advice = fault.described(found, peer)
        return NotPosted(f"{place}: {detail}", advice, is_lasting=True)
    advice = f"check {target.url_key}, and that its host can be reached from this machine"
    return NotPosted(f"{place} cannot be reached: {_detail(error)}", advice)


def _detail(error: BaseException) -> str:
    """Return what the network did; each error of httpx has one of httpcore's as its cause."""
    import httpcore  # noqa: PLC0415 - see the module's text

    kinds = (
        (httpcore.ConnectTimeout, network_words.NO_CONNECTION),
        (TimeoutError, network_words.NO_ANSWER),
        (httpcore.TimeoutException, network_words.NO_ANSWER),
        (httpcore.ProxyError, network_words.PROXY_REFUSES),
        (httpcore.NetworkError, network_words.CUT),
        (httpcore.ProtocolError, f"{network_words.CUT}, or the answer is not HTTP"),
    )
    return network_words.detail(error, kinds)
