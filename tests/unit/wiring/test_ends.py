"""The two ends of the flow, as the configuration wants them."""

from pathlib import Path

from mail_sender.condition import Condition
from mail_sender.wiring.ends import Ends
from tests.support.config_files import Files

TABLES = """
[relay]
connections = 16

[[relay.fallback]]
mail_relay = "smtp://second.example.net"
connections = 2

[[relay.fallback]]
mail_relay = "smtp://third.example.net"
"""


def test_each_relay_has_as_many_connections_as_it_may_have(tmp_path: Path) -> None:
    """The first relay's number is its own; a fallback that names none has the default."""
    relays = Ends.of(Files(tmp_path).load(TABLES)).relays(Condition("relay"))
    assert [view.most_in_flight for view in relays.views(0.0)] == [16, 2, 4]
