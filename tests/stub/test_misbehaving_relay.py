"""Each rule about the relay, seen by a real client over real TLS: what it hears, and whether the mail was taken."""

from __future__ import annotations

import asyncio
import base64
import math
import ssl
import time
from pathlib import Path

import aiosmtplib
import pytest

from tests.support.bad_day import BOB, ELLIE, MAIL, PASSWORD, SECONDS, SENDER, USER, BadRelay

LISTENERS = ["smtps", "smtp"]
GONE = (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPConnectError, aiosmtplib.SMTPReadTimeoutError)


def rule(text: str) -> str:
    return f"[[relay]]\n{text}\n"


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *lines: bytes) -> list[bytes]:
    """Say lines, each after the reply to the one before; return the last line of each reply."""
    replies = []
    for line in (b"", *lines):
        if line:
            writer.write(line + b"\r\n")
        while (heard := await reader.readline())[3:4] == b"-":
            pass
        replies.append(heard.strip())
    return replies


async def bare(relay: BadRelay, listener: str = "smtps") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect without a library; over TLS where that comes first."""
    tls = relay.trust if listener == "smtps" else None
    return await asyncio.open_connection("localhost", relay.ports[listener], ssl=tls)


def auth_plain() -> bytes:
    return b"AUTH PLAIN " + base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())


DIALOGUE = [
    b"EHLO client.example",
    auth_plain(),
    b"MAIL FROM:<a@example.com>",
    b"RCPT TO:<ellie@example.com>",
    b"DATA",
]
BEFORE = {"connect": 0, "ehlo": 0, "auth": 1, "mail": 2, "rcpt": 3, "data": 4, "body": 5, "dot": 5}


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("mechanism", ["plain", "login"])
async def test_both_mechanisms_work_on_both_listeners(tmp_path: Path, listener: str, mechanism: str) -> None:
    """With aiosmtplib and no rule; test_relay.py does it with the standard library's client."""
    async with BadRelay(tmp_path).open() as relay:
        client = relay.client(listener)
        await client.connect()
        await client.ehlo()
        await getattr(client, f"auth_{mechanism}")(USER, PASSWORD)
        await client.sendmail(SENDER, [ELLIE], MAIL)
        client.close()
        assert relay.mails == 1


@pytest.mark.parametrize("stage", ["connect", "ehlo", "auth", "mail", "rcpt", "data", "dot"])
async def test_a_reply_is_said_at_its_stage(tmp_path: Path, stage: str) -> None:
    """Word for word, once; what comes before is as ever, and no mail is taken."""
    text = rule(f'at = "{stage}"\nreply = "451 4.3.0 Not now"\ntimes = 1')
    async with BadRelay(tmp_path, text).open() as relay:
        reader, writer = await bare(relay)
        before = [] if stage == "connect" else DIALOGUE[: BEFORE[stage] + 1]
        *usual, last = await talk(reader, writer, *before, *([b"Hi\r\n."] if stage == "dot" else []))
        assert last == b"451 4.3.0 Not now"
        assert not [reply for reply in usual if reply[:1] not in b"23"]
        assert relay.mails == 0
        writer.close()
        await relay.send()
        assert relay.mails == 1


async def test_a_reply_in_the_place_of_starttls(tmp_path: Path) -> None:
    """454 to STARTTLS; the connection stays in clear and takes no mail."""
    text = rule('at = "tls"\nreply = "454 4.7.0 TLS not available"')
    async with BadRelay(tmp_path, text).open() as relay:
        reader, writer = await bare(relay, "smtp")
        replies = await talk(reader, writer, DIALOGUE[0], b"STARTTLS", b"MAIL FROM:<a@example.com>")
        assert replies[2:] == [b"454 4.7.0 TLS not available", b"530 Must issue a STARTTLS command first"]
        writer.close()


async def test_after_421_the_relay_hangs_up(tmp_path: Path) -> None:
    """RFC 5321 section 3.8: the reply, and then the end of the connection."""
    async with BadRelay(tmp_path, rule('at = "mail"\nreply = "421 4.3.2 Going down"')).open() as relay:
        reader, writer = await bare(relay)
        assert (await talk(reader, writer, *DIALOGUE[:3]))[-1] == b"421 4.3.2 Going down"
        async with asyncio.timeout(SECONDS):
            assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("stage", ["connect", "tls", "ehlo", "auth", "mail", "rcpt", "data", "body", "dot"])
async def test_a_cut_ends_the_connection_at_its_stage(tmp_path: Path, stage: str, listener: str) -> None:
    """A client of either listener is cut off once; no mail is taken; the next connection is none the worse."""
    async with BadRelay(tmp_path, rule(f'at = "{stage}"\ncut = true\ntimes = 1')).open() as relay:
        with pytest.raises((*GONE, OSError)):
            await relay.send(listener=listener)
        assert relay.mails == 0
        assert [times for _, times in relay.misbehaviour.fired()] == [1]
        await relay.send(listener=listener)
        assert relay.mails == 1


@pytest.mark.parametrize("stage", ["ehlo", "auth", "mail", "rcpt", "data", "body", "dot"])
async def test_a_cut_comes_at_no_other_stage(tmp_path: Path, stage: str) -> None:
    """All replies before that stage have been heard, and none of its own."""
    async with BadRelay(tmp_path, rule(f'at = "{stage}"\ncut = true')).open() as relay:
        reader, writer = await bare(relay)
        before = DIALOGUE[: BEFORE[stage]]
        assert len([reply for reply in await talk(reader, writer, *before) if reply]) == len(before) + 1
        writer.write(b"Hi\r\n.\r\n" if stage in {"body", "dot"} else DIALOGUE[BEFORE[stage]] + b"\r\n")
        with pytest.raises((ConnectionError, EOFError, ssl.SSLError)):
            await reader.readexactly(1)
        writer.close()


async def test_a_lost_answer_belongs_to_a_mail_that_was_taken(tmp_path: Path) -> None:
    """The mail is on disk, and its sender hears nothing but the end of the connection."""
    async with BadRelay(tmp_path, rule("lose_answer = true\ntimes = 1")).open() as relay:
        with pytest.raises(GONE):
            await relay.send()
        assert relay.mails == 1
        await relay.send()
        assert relay.mails == 2


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("stage", ["connect", "tls", "ehlo", "auth", "mail", "rcpt", "data", "body", "dot"])
async def test_a_relay_may_fall_silent(tmp_path: Path, stage: str, listener: str) -> None:
    """The connection stays open and nothing more is said; a client finds that out by its own deadline alone."""
    async with BadRelay(tmp_path, rule(f'at = "{stage}"\nstall = true\ntimes = 1')).open() as relay:
        client = relay.client(listener, timeout=0.3)
        with pytest.raises((TimeoutError, aiosmtplib.SMTPTimeoutError)):
            await _send(client)
        client.close()
        assert relay.mails == 0
        await relay.send(listener=listener)
        assert relay.mails == 1


async def _send(client: aiosmtplib.SMTP) -> None:
    await client.connect()
    await client.login(USER, PASSWORD)
    await client.sendmail(SENDER, [ELLIE], MAIL)


async def test_a_mail_may_be_taken_in_silence(tmp_path: Path) -> None:
    """`lose_answer` with `stall`: on disk, no reply, and the connection stays open."""
    async with BadRelay(tmp_path, rule("lose_answer = true\nstall = true\ntimes = 1")).open() as relay:
        client = relay.client("smtps", timeout=0.5)
        with pytest.raises((TimeoutError, aiosmtplib.SMTPTimeoutError)):
            await _send(client)
        client.close()
        assert relay.mails == 1


@pytest.mark.parametrize("stage", ["connect", "tls", "ehlo", "dot"])
async def test_a_silence_may_end(tmp_path: Path, stage: str) -> None:
    """After so many seconds all goes on as if nothing had been."""
    async with BadRelay(tmp_path, rule(f'at = "{stage}"\nstall = 0.4\ntimes = 1')).open() as relay:
        begun = time.monotonic()
        await relay.send()
        assert time.monotonic() - begun >= 0.4
        assert relay.mails == 1


async def test_a_tarpit_drips_its_reply(tmp_path: Path) -> None:
    """The reply is the usual one, a character at a time, so that no single read is late."""
    async with BadRelay(tmp_path, rule('at = "mail"\ntarpit = 0.02')).open() as relay:
        reader, writer = await bare(relay)
        await talk(reader, writer, *DIALOGUE[:2])
        begun = time.monotonic()
        writer.write(DIALOGUE[2] + b"\r\n")
        assert await reader.readexactly(1) == b"2"
        first = time.monotonic() - begun
        rest = await reader.readline()
        assert rest == b"50 2.1.0 Sender accepted\r\n"
        assert time.monotonic() - begun >= 0.02 * len(rest) > first
        writer.close()


async def test_a_rule_may_be_for_some_recipients(tmp_path: Path) -> None:
    """A pattern as in a shell, in upper or lower case; the others of the same mail are taken."""
    text = rule('at = "rcpt"\nrecipient = "B*@Example.com"\nreply = "550 5.1.1 No such user"')
    async with BadRelay(tmp_path, text).open() as relay:
        async with relay.logged_in() as client:
            errors, _ = await client.sendmail(SENDER, [ELLIE, "BOB@example.com"], MAIL)
        assert list(errors) == ["BOB@example.com"]
        assert relay.mails == 1


async def test_a_rule_at_the_dot_may_be_for_some_recipients(tmp_path: Path) -> None:
    """It acts where any recipient of the mail is meant, and on no other mail."""
    text = rule('at = "dot"\nrecipient = "bob@example.com"\nreply = "554 5.7.1 Spam"')
    async with BadRelay(tmp_path, text).open() as relay:
        await relay.send(ELLIE)
        with pytest.raises(aiosmtplib.SMTPDataError):
            await relay.send(ELLIE, BOB)
        assert relay.mails == 1


async def test_greylisting_refuses_a_first_try_for_a_while(tmp_path: Path) -> None:
    """450 for each new pair of sender and recipient until its time is over, then it is welcome."""
    async with BadRelay(tmp_path, rule("greylist_seconds = 3600")).open() as relay:
        for recipient in (ELLIE, ELLIE, BOB):
            with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
                await relay.send(recipient)
            assert refused.value.recipients[0].code == 450
        relay.misbehaviour.set(rule("greylist_seconds = 0.5"))
        begun = time.monotonic()
        await _until_accepted(relay, ELLIE)
        assert time.monotonic() - begun >= 0.5
        assert relay.misbehaviour.fired()[0][1] >= 1


async def _until_accepted(relay: BadRelay, recipient: str) -> None:
    async with asyncio.timeout(10):
        while not relay.mails:
            try:
                await relay.send(recipient)
            except aiosmtplib.SMTPRecipientsRefused:
                continue


@pytest.mark.parametrize("listener", LISTENERS)
async def test_one_connection_at_a_time(tmp_path: Path, listener: str) -> None:
    """421 for a second one, on whichever listener the first is; welcome again when that has gone."""
    async with BadRelay(tmp_path, rule("one_connection = true")).open() as relay:
        async with relay.logged_in("smtps") as first:
            with pytest.raises(aiosmtplib.SMTPConnectError) as refused:
                await relay.send(listener=listener)
            assert "421" in str(refused.value)
            await first.quit()
        await relay.send(listener=listener)
        assert relay.mails == 1


async def test_without_starttls_there_is_no_way_in(tmp_path: Path) -> None:
    """It is not offered, not done when asked for all the same, and nothing is taken in clear."""
    async with BadRelay(tmp_path, rule("no_starttls = true")).open() as relay:
        with pytest.raises(aiosmtplib.SMTPException, match="STARTTLS"):
            await relay.send(listener="smtp")
        reader, writer = await bare(relay, "smtp")
        replies = await talk(reader, writer, DIALOGUE[0], b"STARTTLS", b"MAIL FROM:<a@example.com>")
        assert [reply[:3] for reply in replies[2:]] == [b"454", b"530"]
        writer.close()
        await relay.send(listener="smtps")


@pytest.mark.parametrize("listener", LISTENERS)
async def test_the_certificate_may_have_expired(tmp_path: Path, listener: str) -> None:
    """A client that trusts the CA says why it will not go on; when the rule is over it does."""
    async with BadRelay(tmp_path, rule("expired_certificate = true\ntimes = 1")).open() as relay:
        with pytest.raises((ssl.SSLCertVerificationError, aiosmtplib.SMTPException), match="expired"):
            await relay.send(listener=listener)
        await relay.send(listener=listener)
        assert relay.mails == 1


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("asking", ["optional", "required"])
async def test_a_client_may_show_a_certificate(tmp_path: Path, listener: str, asking: str) -> None:
    """The stub's CA has signed one for clients; the envelope names it."""
    async with BadRelay(tmp_path, rule(f'client_certificate = "{asking}"')).open() as relay:
        trust = relay.trust
        trust.load_cert_chain(relay.directory.root / "client.pem", relay.directory.root / "client-key.pem")
        async with relay.logged_in(listener, trust) as client:
            await client.sendmail(SENDER, [ELLIE], MAIL)
        assert '"client_certificate": "mail-sender"' in _envelope(relay)


@pytest.mark.parametrize("listener", LISTENERS)
async def test_a_client_need_not_show_a_certificate_unless_it_must(tmp_path: Path, listener: str) -> None:
    """Optional: mail is taken, and the envelope names none. Required: the connection ends."""
    async with BadRelay(tmp_path, rule('client_certificate = "optional"')).open() as relay:
        await relay.send(listener=listener)
        assert '"client_certificate": ""' in _envelope(relay)
        relay.misbehaviour.set(rule('client_certificate = "required"'))
        with pytest.raises((ssl.SSLError, ConnectionError, aiosmtplib.SMTPException)):
            await relay.send(listener=listener)
        assert relay.mails == 1


async def test_a_client_certificate_of_another_ca_is_refused(tmp_path: Path) -> None:
    """Asked for a certificate, a client may show none, but not just any."""
    other = BadRelay(tmp_path / "other")
    async with other.open():
        pass
    async with BadRelay(tmp_path, rule('client_certificate = "optional"')).open() as relay:
        trust = relay.trust
        trust.load_cert_chain(other.directory.root / "client.pem", other.directory.root / "client-key.pem")
        with pytest.raises((ssl.SSLError, ConnectionError, aiosmtplib.SMTPException)):
            async with relay.logged_in("smtps", trust) as client:
                await client.sendmail(SENDER, [ELLIE], MAIL)
        assert relay.mails == 0


async def test_the_client_certificate_is_made_once(tmp_path: Path) -> None:
    """A sender that has read it goes on with it after a restart; its key is for the owner only."""
    relay = BadRelay(tmp_path)
    paths = [relay.directory.root / name for name in ("client.pem", "client-key.pem")]
    kept = []
    for _ in range(2):
        async with relay.open():
            kept.append([path.read_bytes() for path in paths])
    assert kept[0] == kept[1]
    assert paths[1].stat().st_mode & 0o077 == 0


def _envelope(relay: BadRelay) -> str:
    return max(relay.directory.mail.glob("*.json")).read_text()


async def test_clients_that_come_and_go_leave_nothing_behind(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whoever hangs up in a stall or a handshake frees the one connection, and nothing is said about it."""
    text = rule("one_connection = true") + rule('at = "connect"\nstall = true\ntimes = 1')
    async with BadRelay(tmp_path, text).open() as relay:
        for listener in LISTENERS:
            _, writer = await asyncio.open_connection("localhost", relay.ports[listener])
            writer.close()
            await writer.wait_closed()
            await _until_free(relay)
        assert relay.mails == 1
    assert capfd.readouterr().err == ""


async def _until_free(relay: BadRelay) -> None:
    async with asyncio.timeout(10):
        while not relay.mails:
            try:
                await relay.send()
            except aiosmtplib.SMTPException:
                continue


async def test_for_ever_may_also_be_written_inf(tmp_path: Path) -> None:
    """TOML has a word for it."""
    async with BadRelay(tmp_path, rule('at = "mail"\nstall = inf')).open() as relay:
        assert "stays silent for ever" in relay.misbehaviour.fired()[0][0]
        assert math.inf not in {times for _, times in relay.misbehaviour.fired()}
