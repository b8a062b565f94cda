"""A kind that this version does not know: held and named, and mailed once somebody has written templates for it."""

from pathlib import Path

from tests.support import configs
from tests.support.sender import Sender, run
from tests.support.stub import Stub

SECRETS = ("the-secret-of-the-link", "Ellie The Unmentioned", "nested-and-no-less-secret")
ENTRY = {
    "message_template": {
        "AccountExpiryV1": {"display_name": SECRETS[1], "token": SECRETS[0], "more": {"items": [SECRETS[2]]}}
    },
    "mail_destination": [{"primary": True, "value": "ellie@example.com"}],
}
SUBJECT = "{{ instance_display_name }}: your account expires"
BODY = (
    "{{ fields.display_name }}: https://idm.example.com/renew?token={{ fields.token }} {{ fields.more['items'][0] }}"
)


def write(folder: Path, subject: str = SUBJECT, body: str = BODY) -> None:
    """Write the templates of the kind."""
    made = folder.with_name(f"{folder.name}.new") / "account_expiry_v1"
    made.mkdir(parents=True)
    for part, text in {"subject.txt": subject, "body.txt": body, "body.html": f"<p>{body}</p>"}.items():
        (made / f"{part}.j2").write_text(text)
    made.rename(folder / "account_expiry_v1")
    made.parent.rmdir()


def prepared(stub: Stub, tmp_path: Path) -> Path:
    """Return an empty folder of overrides, set in the config beside a state folder."""
    folder = tmp_path / "templates"
    folder.mkdir()
    configs.change(
        stub.sender_config, templates={"override_path": str(folder)}, ledger={"path": str(tmp_path / "state")}
    )
    return folder


def everything_kept(tmp_path: Path) -> bytes:
    """Return all that lies in the state folder."""
    return b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir() if path.is_file())


def assert_nowhere(said: str, tmp_path: Path) -> None:
    """Check that no field stands in what was said, nor in what is kept."""
    for secret in SECRETS:
        assert secret not in said
        assert secret.encode() not in everything_kept(tmp_path)


def queue_output(stub: Stub, id_: str) -> str:
    """Return what the queue verbs say, to people and to programs."""
    env = {"MAIL_SENDER_CONFIG": str(stub.sender_config), "MAIL_SENDER_CLIENT_CONFIG": str(stub.client_config)}
    verbs = (("list",), ("show", id_))
    done = [run("queue", *verb, *form, env=env) for verb in verbs for form in ((), ("-o", "json"))]
    assert [one.returncode for one in done] == [0] * 4, done
    return "".join(one.stdout + one.stderr for one in done)


def test_it_is_held_and_named_until_its_templates_appear_and_then_mailed(brisk: Stub, tmp_path: Path) -> None:
    """The log says what is missing and how to add it; the others go on; none of its fields is told anywhere."""
    folder = prepared(brisk, tmp_path)
    (id_,) = brisk.queue([ENTRY])
    brisk.send_test("ellie")
    with Sender(brisk.client_config, brisk.sender_config, "-d") as sender:
        (held,) = sender.wait_for("held")
        sender.wait_for("marked")
        said = queue_output(brisk, id_)
        write(folder)
        sender.wait_for("config_reloaded")
        sender.wait_for("marked", 2)
        said += queue_output(brisk, id_)
        assert sender.stop() == 0
        log = sender.log
    for word in ("account_expiry_v1", "subject.txt.j2", "override_path", id_):
        assert word in held
    assert "held" in said
    mail = brisk.mails()[-1]
    assert str(mail["Subject"]).endswith(": your account expires")
    assert all(secret in str(mail.get_body(("plain",))) for secret in SECRETS)
    assert_nowhere(log + said, tmp_path)


def test_a_template_that_fails_on_its_fields_holds_it_and_tells_none_of_them(brisk: Stub, tmp_path: Path) -> None:
    """The sentence names file and line; what stood in the fields it does not."""
    folder = prepared(brisk, tmp_path)
    write(folder, body="first line\n{{ fields.display_name.nothing_of_that }} {{ fields['token'] + 1 }}")
    (id_,) = brisk.queue([ENTRY])
    with Sender(brisk.client_config, brisk.sender_config, "-d") as sender:
        (held,) = sender.wait_for("held")
        said = queue_output(brisk, id_)
        assert sender.stop() == 0
        log = sender.log
    assert "account_expiry_v1/body.txt.j2, line 2" in held
    assert brisk.mails() == []
    assert_nowhere(log + said, tmp_path)


def test_a_relay_that_quotes_its_fields_is_not_quoted(brisk: Stub, tmp_path: Path) -> None:
    """All texts in its fields are hidden in what the relay says, wherever that ends up."""
    write(prepared(brisk, tmp_path))
    brisk.refuse("ellie@example.com", 550, f"5.1.1 nobody wants {' and '.join(SECRETS)}")
    (id_,) = brisk.queue([ENTRY])
    with Sender(brisk.client_config, brisk.sender_config, "-d") as sender:
        (failed,) = sender.wait_for("failed")
        said = queue_output(brisk, id_)
        assert sender.stop() == 0
        log = sender.log
    assert "5.1.1 nobody wants ***" in failed
    assert_nowhere(log + said, tmp_path)
