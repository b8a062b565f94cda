"""What holds up no mail is known with the time since when it is so."""

import asyncio

from mail_sender.observe.advisories import Advisories
from tests.support.fake_clock import FakeClock
from tests.support.samples import MINUTE, NOW
from tests.support.virtual_time import VIRTUAL_TIME

pytestmark = VIRTUAL_TIME


async def test_a_rejected_configuration_is_known_until_one_is_used() -> None:
    """First of all, since it is what somebody wanted to have; the warnings are those of the one in use."""
    advisories = Advisories(FakeClock(NOW))
    advisories.use(["a proxy is set"])
    advisories.examined([("spf", "there is none", "publish one")])
    advisories.reject("mail_relay is empty")
    assert [(fault.name, fault.kind) for fault in advisories.faults] == [
        ("configuration", "rejected"),
        ("domain", "spf"),
        ("configuration", "warning"),
    ]
    advisories.use([])
    assert [(fault.name, fault.kind) for fault in advisories.faults] == [("domain", "spf")]


async def test_what_stays_keeps_its_time() -> None:
    """What is new has its own; a fault with another detail is another fault."""
    advisories = Advisories(FakeClock(NOW))
    advisories.use(["one"])
    await asyncio.sleep(60)
    advisories.use(["one", "two"])
    assert [fault.since for fault in advisories.faults] == [NOW, NOW + MINUTE]
