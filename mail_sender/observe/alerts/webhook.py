"""The webhook: one POST for each alert, over a connection of its own.

A receiver that has answered 2xx has the alert. A redirect is not followed: the URL and the headers are secrets, and
would go along.
"""

import asyncio
from contextlib import suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from mail_sender import __version__
from mail_sender.errors import causes
from mail_sender.observe.alerts import formats
from mail_sender.observe.alerts.alert import Alert, Origin
from mail_sender.observe.alerts.config import AlertConfig
from mail_sender.observe.alerts.receiver import LONGEST_ANSWER, SECONDS, NotDelivered, shown
from mail_sender.source import answers
from mail_sender.source.https import network_detail
from mail_sender.tls import contexts, fault
from mail_sender.tls.pem import BadPem

_BODY_SECONDS = 2.0
_ADVICE = "check [alert] url, and that its host can be reached from this machine"


class Webhook:
    """The receiver at `[alert] url`."""

    name = "url"

    def __init__(self, config: AlertConfig, origin: Origin) -> None:
        self._config = config
        self._origin = origin
        self.place = f"the webhook at {config.url_host}"

    async def deliver(self, alert: Alert) -> str:
        """Post an alert, and return what was answered. Raises `NotDelivered`."""
        try:
            async with asyncio.timeout(SECONDS):
                return await self._post(formats.body(self._config.format, alert, self._origin, self._config.repeat))
        except (BadPem, OSError) as error:
            if isinstance(error, BadPem) or error.filename is not None:
                raise NotDelivered(f"{self._config.ca_path} {error}", "correct [alert] ca_path") from None
            raise self._network_fault(error) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._network_fault(error) from None

    async def _post(self, body: formats.Body) -> str:
        assert self._config.url is not None  # noqa: S101 - a webhook is made only where there is one
        name = contexts.server_name(self._config.url_host)
        async with (
            self._client() as client,
            client.stream(
                "POST",
                self._config.url.get_secret_value(),
                content=body.content,
                headers={"content-type": body.content_type, **body.headers, **self._own_headers()},
                extensions={"sni_hostname": name},
            ) as response,
        ):
            text = shown(await _beginning(response), self._config)
            answer = f"{response.status_code}{f': {text}' if text else ''}"
            if response.is_success:
                return answer
            raise self._refused(response, answer)

    def _client(self) -> httpx.AsyncClient:
        proxy = self._config.proxy
        return httpx.AsyncClient(
            headers={"user-agent": f"mail-sender/{__version__}", "accept-encoding": "identity"},
            verify=contexts.context(self._config.ca_path),
            timeout=None,  # noqa: S113 - `deliver` has one for all of it
            follow_redirects=False,
            proxy=proxy.get_secret_value() if proxy else None,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            trust_env=False,  # else ALL_PROXY and .netrc would have a say, too
        )

    def _own_headers(self) -> dict[str, str]:
        return {name.lower(): value.get_secret_value() for name, value in self._config.headers}

    def _refused(self, response: httpx.Response, answer: str) -> NotDelivered:
        status, advice = response.status_code, "check [alert] url, headers and format; `mail-sender alert test` tries"
        if response.is_redirect:
            answer, advice = f"{status}, a redirect, which is not followed", "write the URL that it leads to"
        elif status == 429 or status >= 500:
            advice = "this usually passes by itself; tried again"
        detail = f"{self.place} answers {answer}"
        retry_after = answers.retry_after(response.headers)
        return NotDelivered(detail, advice, is_answered=True, retry_after=retry_after)

    def _network_fault(self, error: BaseException) -> NotDelivered:
        place = f"{self.place} (through the proxy of the environment)" if self._config.proxy else self.place
        if (found := fault.among(causes(error))) is not None:
            peer = fault.Peer(self._config.url_host, "[alert] url", "[alert] ca_path", "have it ask for none")
            detail, advice = fault.described(found, peer)
            return NotDelivered(f"{place}: {detail}", advice)
        return NotDelivered(f"{place} cannot be reached: {network_detail(error)}", _ADVICE)


async def _beginning(response: httpx.Response) -> bytes:
    """Return the first octets of a body; the status says enough where the rest does not come."""
    body = bytearray()
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) >= LONGEST_ANSWER:
                    break
    return bytes(body[:LONGEST_ANSWER])
