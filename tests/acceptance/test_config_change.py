"""A configuration that changes while the sender runs."""

import signal
import sys
from pathlib import Path

from tests.support import configs
from tests.support.sender import Sender
from tests.support.stub import Stub


def test_a_mended_password_is_tried_at_once(stub: Stub) -> None:
    """A login that was refused would wait for a minute: a changed file is why to try earlier."""
    right = stub.sender_config.read_text()
    configs.change(stub.sender_config, mail_password="wrong")
    stub.send_test("ellie")
    with Sender(stub.client_config, stub.sender_config) as sender:
        sender.wait_for("relay_down")
        stub.sender_config.write_text(right)
        sender.wait_for("config_reloaded")
        sender.wait_for("marked")
        sender.wait_for("relay_up")
        assert sender.stop() == 0
        assert len(sender.events("sent")) == 1
    assert len(stub.mails()) == 1


def test_a_change_while_standing_by_counts_from_the_first_mail_on(stub: Stub, tmp_path: Path) -> None:
    """The sender that takes over knows what its files say now, not what they said weeks ago."""
    configs.change(stub.sender_config, ledger={"path": tmp_path / "state"})
    with Sender(stub.client_config, stub.sender_config) as first:
        first.wait_for("server_ready")
        with Sender(stub.client_config, stub.sender_config) as second:
            second.wait_for("standing_by")
            first.process.send_signal(signal.SIGSTOP)
            configs.change(stub.sender_config, instance_display_name="Another Name")
            stub.send_test("ellie")
            first.process.kill()
            second.wait_for("marked")
            assert second.stop() == 0
    (mail,) = stub.mails()
    assert "Another Name" in str(mail["From"])


def test_a_faulty_change_is_named_and_the_old_configuration_goes_on(stub: Stub) -> None:
    """Half a file must not stop mail, and says what is wrong with it, without its secrets."""
    right = stub.sender_config.read_text()
    with Sender(stub.client_config, stub.sender_config) as sender:
        sender.wait_for("server_ready")
        stub.sender_config.write_text(right.replace("mail_from_address", "mail_form_address"))
        (line,) = sender.wait_for("config_rejected")
        assert "mail_form_address" in line
        stub.send_test("ellie")
        sender.wait_for("marked")
        stub.sender_config.write_text(right.replace("Example Identity", "Another Name"))
        sender.wait_for("config_reloaded")
        stub.send_test("ellie")
        sender.wait_for("marked", 2)
        assert sender.stop() == 0
    assert ["Another Name" in str(mail["From"]) for mail in stub.mails()] == [False, True]


def test_sighup_reads_the_configuration_anew(stub: Stub) -> None:
    """The answer is in the log: nothing changed, what is wrong, or that it counts; the sender goes on in any case."""
    right = stub.sender_config.read_text()
    with Sender(stub.client_config, stub.sender_config) as sender:
        sender.wait_for("server_ready")
        sender.signal(signal.SIGHUP)
        sender.wait_for("config_unchanged")
        stub.sender_config.write_text(right.replace("mail_from_address", "mail_form_address"))
        sender.signal(signal.SIGHUP)
        assert "mail_form_address" in sender.wait_for("config_rejected")[0]
        stub.sender_config.write_text(right.replace("Example Identity", "Another Name"))
        sender.signal(signal.SIGHUP)
        sender.wait_for("reloaded")
        stub.send_test("ellie")
        sender.wait_for("marked")
        assert sender.stop() == 0
    (mail,) = stub.mails()
    assert "Another Name" in str(mail["From"])


HANGUP_FIRST = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # before the program's first line, it would end any process
os.kill(os.getpid(), signal.SIGHUP)
from mail_sender.__main__ import main
main()
"""


def test_a_sighup_during_the_start_or_while_standing_by_is_not_lost(stub: Stub, tmp_path: Path) -> None:
    """It is answered as soon as there is somebody to answer."""
    configs.change(stub.sender_config, ledger={"path": tmp_path / "state"})
    start = [sys.executable, "-c", HANGUP_FIRST]
    with Sender(stub.client_config, stub.sender_config, program=start) as first:
        first.wait_for("config_unchanged")
        with Sender(stub.client_config, stub.sender_config, program=start) as second:
            second.wait_for("standing_by")
            second.wait_for("config_unchanged")
            assert second.stop() == 0
        assert first.stop() == 0


def mount(folder: Path, version: str, token: str) -> None:
    """Put a token into a folder as Kubernetes does: all of a new version at once, by a link that is turned to it."""
    (folder / version).mkdir(parents=True)
    (folder / version / "token").write_text(token)
    (folder / "..new").symlink_to(version)
    (folder / "..new").replace(folder / "..data")


def test_a_rotated_token_counts_without_a_restart_and_both_stay_hidden(stub: Stub, tmp_path: Path) -> None:
    """A token that was refused is replaced in its file, which a variable names; neither of the two is ever logged."""
    configs.change(stub.sender_config, token=None)
    mount(tmp_path / "secrets", "..1", f"{stub.tokens['expired']}\n")
    (tmp_path / "secrets" / "token").symlink_to("..data/token")
    stub.send_test("ellie")
    env = {"MAIL_SENDER_TOKEN_FILE": str(tmp_path / "secrets" / "token")}
    with Sender(stub.client_config, stub.sender_config, "-d", env=env) as sender:
        sender.wait_for("server_down")
        mount(tmp_path / "secrets", "..2", stub.tokens["readwrite"])
        sender.wait_for("server_up")
        sender.wait_for("marked")
        assert sender.stop() == 0
        assert "token (" in sender.log
        assert not any(token in sender.log for token in stub.tokens.values())


BROKEN = {
    "test_message_v1/body.txt.j2": [
        "{{ " + "(" * 3_000 + "1" + ")" * 3_000 + " }}",
        "{{ " + "9" * 5_000 + " }}",
        "{% for a in range(9999) %}{% for b in range(9999) %}{% if a % 7 %}{% endif %}{% endfor %}{% endfor %}",
        "{{ '%1999999999d' | format(1) }}",
    ],
    "wording/en.toml": ["a = " + "[" * 100_000],
}


def test_no_file_of_an_override_ends_the_sender(stub: Stub, tmp_path: Path) -> None:
    """Whatever stands in one: it is named, and mail goes out as before; mended, it counts."""
    folder = tmp_path / "templates"
    (folder / "test_message_v1").mkdir(parents=True)
    (folder / "wording").mkdir()
    for name in BROKEN:
        (folder / name).write_text("" if name.endswith(".toml") else "Mine.\n{{ say.works }}")
    configs.change(stub.sender_config, templates={"override_path": str(folder)})
    with Sender(stub.client_config, stub.sender_config) as sender:
        sender.wait_for("server_ready")
        faults = 0
        for name, contents in BROKEN.items():
            good = (folder / name).read_text()
            for content in contents:
                faults += 1
                (folder / name).write_text(content)
                assert name in sender.wait_for("config_rejected", faults)[-1]
            stub.send_test("ellie")
            sender.wait_for("marked", len(sender.events("marked")) + 1)
            (folder / name).write_text(good)
            sender.wait_for("config_reloaded", len(sender.events("config_reloaded")) + 1)
        assert sender.stop() == 0
        assert "Traceback" not in sender.log
    assert [str(mail.get_body(("plain",))).count("Mine.") for mail in stub.mails()] == [1, 1]
