"""The bare loop: what Python can do at best with the usual libraries, to measure the sender by.

aiosmtplib hands over a mail that is ready, httpx marks its message, and the next one follows, on so many connections
side by side. Nothing is rendered, read, remembered, logged or tried again. It runs as a process of its own and prints
what it used as JSON.
"""

import argparse
import asyncio
import json
import resource
import ssl
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import aiosmtplib
import httpx

from mail_sender.mail.config import MailConfig
from mail_sender.mail.render import render
from mail_sender.message import CredentialReset, IntentId, Message
from tests.bench.entries import message_id, recipient

SENDER = "idm@example.com"
USER, PASSWORD = "mail-sender", "a-password-of-no-account"


def ready_mail() -> bytes:
    """Return the mail that is sent again and again: text and HTML, as the sender's own."""
    config = MailConfig("Example Identity", "https://idm.example.com", SENDER, "it@example.com")
    now = datetime.now(UTC)
    reset = CredentialReset("Ellie Example 1", IntentId("pp2qd-a5bd5-r953u-1az4w"), now + timedelta(hours=1))
    return render(
        Message(uuid4(), now, now + timedelta(days=7), (recipient(1),), reset), recipient(1), config, now
    ).content


async def _deliver(numbers: Iterator[int], given: argparse.Namespace, context: ssl.SSLContext, mail: bytes) -> None:
    relay = aiosmtplib.SMTP(hostname="localhost", port=given.relay, use_tls=True, tls_context=context)
    server = _client(given, context)
    async with relay, server:
        await relay.login(USER, PASSWORD)
        for number in numbers:
            await relay.sendmail(SENDER, [recipient(number)], mail)
            answer = await server.post(f"/scim/v1/Message/{message_id(number)}/_sent")
            answer.raise_for_status()


def _client(given: argparse.Namespace, context: ssl.SSLContext) -> httpx.AsyncClient:
    headers = {"authorization": "Bearer header.payload.signature-of-a-token"}
    return httpx.AsyncClient(base_url=f"https://localhost:{given.server}", verify=context, headers=headers)


async def _run(given: argparse.Namespace) -> None:
    context = ssl.create_default_context(cafile=given.ca)
    mail = ready_mail()
    numbers = iter(range(given.mails))
    before, began = _cpu(), time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(given.connections):
            group.create_task(_deliver(numbers, given, context, mail))
    seconds, cpu = time.monotonic() - began, _cpu() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak}) + "\n")


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Deliver and mark the first `--mails` messages."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--relay", type=int, required=True, help="port")
    parser.add_argument("--server", type=int, required=True, help="port")
    parser.add_argument("--ca", type=Path, required=True)
    parser.add_argument("--mails", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
