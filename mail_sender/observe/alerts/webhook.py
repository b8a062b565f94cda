"""The webhook: one POST for each alert.

A receiver that has answered 2xx has the alert. A redirect is not followed (`web.post`).
"""

from mail_sender.observe.alerts import formats
from mail_sender.observe.alerts.alert import Alert, Origin
from mail_sender.observe.alerts.config import AlertConfig
from mail_sender.observe.alerts.receiver import LONGEST_ANSWER, SECONDS, NotDelivered, shown
from mail_sender.web import post
from mail_sender.web.headers import retry_after
from mail_sender.web.post import Answer, Limits, NotPosted, Target

_BODY_SECONDS = 2.0


class Webhook:
    """The receiver at `[alert] url`."""

    name = "url"

    def __init__(self, config: AlertConfig, origin: Origin) -> None:
        self._config = config
        self._origin = origin
        self.place = f"the webhook at {config.url_host}"

    async def deliver(self, alert: Alert) -> str:
        """Post an alert, and return what was answered. Raises `NotDelivered`."""
        body = formats.body(self._config.format, alert, self._origin, self._config.repeat)
        headers = {"content-type": body.content_type, **body.headers, **self._own_headers()}
        limits = Limits(SECONDS, LONGEST_ANSWER, _BODY_SECONDS)
        try:
            answer = await post.post(self._target(), body.content, headers, limits)
        except NotPosted as error:
            raise NotDelivered(error.detail, error.advice) from None
        text = shown(answer.body, self._config)
        words = f"{answer.status}{f': {text}' if text else ''}"
        if answer.status // 100 == 2:
            return words
        raise self._refused(answer, words)

    def _target(self) -> Target:
        config = self._config
        assert config.url is not None  # noqa: S101 - a webhook is made only where there is one
        return Target(config.url, self.place, "[alert] url", "[alert] ca_path", config.ca_path, config.proxy)

    def _own_headers(self) -> dict[str, str]:
        return {name.lower(): value.get_secret_value() for name, value in self._config.headers}

    def _refused(self, answer: Answer, words: str) -> NotDelivered:
        status, advice = answer.status, "check [alert] url, headers and format; `mail-sender alert test` tries"
        if status // 100 == 3 and "location" in answer.headers:
            words, advice = f"{status}, a redirect, which is not followed", "write the URL that it leads to"
        elif status == 429 or status >= 500:
            advice = "this usually passes by itself; tried again"
        wait = retry_after(answer.headers)
        return NotDelivered(f"{self.place} answers {words}", advice, is_answered=True, retry_after=wait)
