"""One conversation with a relay (RFC 5321, section 3): connection, TLS, EHLO, login, and any number of mails.

1. `open` gets a token, if OAuth is to be used, then connects, starts TLS, says EHLO and logs in. TLS is not optional:
   before any login or mail the connection is checked to be encrypted. A relay on this machine may get mail without
   TLS, if the configuration says so, but never a login.
2. `deliver` hands over one mail. Its commands go together where the relay offers PIPELINING (RFC 2920), or one at a
   time; each reply means the same either way. `before_dot` is called when all but the final dot is written.
3. After an exception other than `Rejected` the conversation is over: only `abort` may be called.

`channel` says what is raised, and which deadline each step has.
"""

import asyncio
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import structlog
from aiosmtplib.errors import SMTPException

from mail_sender.mail.mail import Mail
from mail_sender.relay import deadlines, login, redaction
from mail_sender.relay.channel import Channel, NoStartTls, Rejected
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.ehlo import Offer
from mail_sender.relay.known import KnownRelay
from mail_sender.relay.oauth import bearer, tokens
from mail_sender.relay.oauth.access_token import AccessToken
from mail_sender.relay.pipelining import names_pipelining
from mail_sender.relay.relay_url import Security
from mail_sender.relay.seen import Seen
from mail_sender.relay.transaction import Transaction, is_no, stuffed, taken_back
from mail_sender.relay.transport import BeforeDot
from mail_sender.tls.certificate import Certificate
from mail_sender.tls.shown import Shown
from mail_sender.verdict import LONGEST_TEXT, Reply, Stage

_log = structlog.get_logger()


class NoUtf8(Exception):
    """The mail's address is not ASCII, and the relay takes no such addresses (RFC 6531, section 3.2)."""


@dataclass(frozen=True, slots=True)
class RelayFacts:
    """What a relay shows of itself up to its last EHLO, before anybody logs in.

    `tls` is the version, such as `TLSv1.3`, empty without TLS; `shown` is its own certificate; `in_clear` are the
    login mechanisms that it offers before TLS, and `mechanisms` those after it, in lower case.
    """

    security: Security
    tls: str
    certificate: Certificate | None
    shown: Shown | None
    mechanisms: tuple[str, ...]
    in_clear: tuple[str, ...] = ()


class Conversation:
    """A connection to the relay, from `open` to `quit` or `abort`.

    `security` is the way in which TLS is started, `seen` are the mails that the relay may quote, `mails` counts those
    for which it took our MAIL command, `opened_at` is when it began (monotonic). `refused` is the access token that
    the relay refused, if it did. `breaks_group` says that commands were said together, and that this may be why the
    relay did not answer them (`pipelining`).
    """

    def __init__(self, config: RelayConfig, context: ssl.SSLContext, known: KnownRelay, seen: Seen) -> None:
        self.security = config.security
        self.mails = 0
        self.refused: AccessToken | None = None
        self.breaks_group = False
        self._config = config
        self._known = known
        self._tokens = tokens.of(config.oauth) if config.oauth else None
        self._secrets = login.secrets(config)
        self._seen = seen
        self._channel = Channel(config, context, known, partial(self._cleaned, most=redaction.LONGEST_READ))
        self._begun = False
        self.opened_at = time.monotonic()
        self._offer = Offer()
        self._offer_in_clear = Offer()

    @property
    def facts(self) -> RelayFacts:
        """What the relay has shown of itself, once the conversation is open. Raises `ConnectionError`."""
        return RelayFacts(
            security=self.security,
            tls=self._channel.tls_version or "",
            certificate=self.certificate,
            shown=self._channel.shown,
            mechanisms=self._offer.mechanisms,
            in_clear=self._offer_in_clear.mechanisms,
        )

    @property
    def certificate(self) -> Certificate | None:
        """How long the relay's certificate is good, None without TLS. Raises `ConnectionError`."""
        return self._channel.certificate

    @property
    def stage(self) -> Stage:
        """The step in progress."""
        return self._channel.stage

    @property
    def is_open(self) -> bool:
        """Whether the connection still stands, and nothing came that was not asked for (such as a goodbye)."""
        return self._channel.is_open

    async def open(self, security: Security) -> None:
        """Connect, start TLS, say EHLO, log in; `security` must be known by now: it is not DISCOVER."""
        self.security = security
        token = await self._token()
        await self._channel.connect(implicit_tls=security is Security.IMPLICIT)
        self._offer = await self._channel.ehlo()
        if security is Security.STARTTLS:
            self._channel.stage = Stage.STARTTLS
            if "starttls" not in self._offer.extensions:
                raise NoStartTls
            await self._channel.start_tls()
            self._offer_in_clear = self._offer
            self._offer = await self._channel.ehlo()
        self._require_private()
        offers = self._cleaned(" ".join(self._offer.extensions))
        _log.debug("relay_connected", security=security.value, tls=self._channel.tls_version, offers=offers)
        await self._log_in(token)

    async def deliver(self, mail: Mail, before_dot: BeforeDot) -> Reply:
        """Hand over one mail and return the relay's 2xx reply to its dot (RFC 5321, section 3.3)."""
        self._channel.stage = Stage.MAIL
        self._require_private()
        if mail.needs_utf8 and "smtputf8" not in self._offer.extensions:
            self._channel.stage = Stage.RCPT
            raise NoUtf8
        offered = self._config.pipelining and "pipelining" in self._offer.extensions
        grouped = offered and self._known.pipelining.is_used
        transaction = Transaction(self._channel, mail, self._offer.extensions)
        try:
            await transaction.begin(grouped=grouped, reset=self._begun)
        except (Rejected, SMTPException, OSError) as error:
            if offered:
                self._note_fault(error, grouped=grouped)
            raise
        finally:
            self._begun = True
            self.mails += transaction.is_begun
        if offered:
            self._known.pipelining.came_through(grouped=grouped)
        reply = await self._channel.content(stuffed(mail.content), before_dot)
        self._begun = False
        return reply

    def _note_fault(self, error: Exception, *, grouped: bool) -> None:
        """Take in why the commands did not come through: a no is none of PIPELINING's, if it does not say so."""
        pipelining = self._known.pipelining
        is_said = isinstance(error, Rejected) and names_pipelining(error.reply)
        if isinstance(error, Rejected) and is_no(error.reply.code) and not is_said:
            if self.is_open:
                pipelining.came_through(grouped=grouped)
        elif not grouped:
            pipelining.broke_alone()
        else:
            self.breaks_group = pipelining.broke(self.opened_at, time.monotonic(), is_said=is_said)

    async def rehearse(self, sender: str) -> None:
        """Ask whether mail from this address may be sent, and take the question back: nothing is sent."""
        self._channel.stage = Stage.MAIL
        self._require_private()
        await self._channel.command(Stage.MAIL, f"MAIL FROM:<{sender}>")
        await taken_back(self._channel)  # it said yes, and the connection ends anyway

    async def quit(self) -> None:
        """Say goodbye, briefly, and close; what goes wrong with that is ignored."""
        if self.is_open:
            with suppress(Exception):  # the mail is settled; nothing that QUIT does can matter
                async with asyncio.timeout(deadlines.QUIT):
                    await self._channel.aside("QUIT", deadlines.QUIT)
        self.abort()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._channel.abort()

    def _require_private(self) -> None:
        """Raise unless mail may be said here: on this machine, if the configuration says so, or else inside TLS."""
        if not self._config.is_local:
            self._channel.require_tls()

    async def _token(self) -> AccessToken | None:
        """Return the access token to log in with, if that is what is to be done. Raises `NoToken`."""
        if self._tokens is None:
            return None
        self._channel.stage = Stage.TOKEN
        with self._known.timed(Stage.TOKEN):
            token = await self._tokens.current()
        self._secrets = (*self._secrets, *self._tokens.secrets)
        return token

    async def _log_in(self, token: AccessToken | None) -> None:
        """Log in, with the token or with the password, if there is one."""
        config, offered, first = self._config, self._offer.mechanisms, self._known.mechanism
        if config.username is None:
            return
        self._channel.stage = Stage.AUTH
        self._channel.require_tls()
        if token is not None and self._tokens is not None:
            try:
                await self._log_in_by_any(login.with_token(offered, first, config, token.text.get_secret_value()))
            except Rejected as error:
                if login.refuses_token(error.reply):
                    self._tokens.refused(token)
                    self.refused = token
                raise
        elif config.password is not None:
            password = config.password.get_secret_value()
            await self._log_in_by_any(login.mechanisms(offered, first, config.username, password))

    async def _log_in_by_any(self, choices: list[login.Mechanism]) -> None:
        """Log in by the first mechanism that the relay does not refuse as such."""
        refused: list[str] = []
        if not choices:
            raise login.NoLogin(self._cleaned(", ".join(self._offer.mechanisms).upper()))
        for mechanism in choices:
            try:
                await self._log_in_by(mechanism)
            except Rejected as error:
                refused.append(mechanism.name)
                if mechanism is choices[-1] or not login.refuses_mechanism(error.reply):
                    raise
            else:
                self._known.logged_in(mechanism.name, refused)
                return

    async def _log_in_by(self, mechanism: login.Mechanism) -> None:
        line, responses = mechanism.command()
        for respond in responses:
            challenge = await self._channel.command(Stage.AUTH, line, expect=334)
            line = respond(challenge.message)
            self._secrets = (*self._secrets, line)
        try:
            await self._channel.command(Stage.AUTH, line)
        except Rejected as error:
            if error.reply.code != 334 or mechanism.end_of_error is None:
                raise
            await self._end_error(error.reply, mechanism.end_of_error)

    async def _end_error(self, challenge: Reply, answer: str) -> None:
        """Answer a 334 that holds an error; what it says is added to the refusal, which comes then."""
        said = bearer.error_of(challenge.whole or challenge.text)
        try:
            await self._channel.command(Stage.AUTH, answer)
        except Rejected as error:
            reply = error.reply
            raise Rejected(Reply.of(reply.code, f"{reply.text} ({said})" if said else reply.text)) from None

    def _cleaned(self, text: str, most: int = LONGEST_TEXT) -> str:
        return redaction.cleaned(text, self._secrets, self._seen, most)
