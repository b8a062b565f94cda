"""A template set of Ory Kratos', moved as the page of templates says, makes the same mail."""

import re
from pathlib import Path

from mail_sender.mail.render import render
from tests.support.config_files import Files, override
from tests.support.samples import ELLIE, INTENT, NOW, message, reset
from tests.unit.mail.reading import mail_of

PAGE = (Path(__file__).parents[3] / "docs/templates.md").read_text().partition("## Coming from Ory Kratos")[2]

KRATOS = {
    "recovery/valid/email.subject.gotmpl": "Recover access, {{ .Identity.traits.name | upper }}\n",
    "recovery/valid/email.body.plaintext.gotmpl": """\
Hi {{ .Identity.traits.name | default "there" }},{{/* a remark */}}

{{ .RecoveryURL }}

It expires in {{ .ExpiresInMinutes }} minutes.
""",
    "recovery/valid/email.body.gotmpl": """\
<!DOCTYPE html><html><head><title>Recover</title><style>a { color: #ff0000 }</style></head><body>
{{ if eq .Identity.traits.name "Ellie" }}<p>Dear Ellie,</p>{{ else }}<p>Hi {{ .Identity.traits.name }},</p>{{ end }}
<p><a href="{{ .RecoveryURL }}">Recover</a> ({{ .ExpiresInMinutes }} minutes)</p></body></html>
""",
}
CHANGES = [
    ("{{ .RecoveryURL }}", "{{ reset_url }}"),
    ("in {{ .ExpiresInMinutes }} minutes", "{{ expires_in }}"),
    ("{{ .ExpiresInMinutes }} minutes", "{{ expires_in }}"),
    ('{{ .Identity.traits.name | default "there" }}', '{{ display_name or "there" }}'),
    ('{{ if eq .Identity.traits.name "Ellie" }}', '{% if display_name == "Ellie" %}'),
    (".Identity.traits.name", "display_name"),
    ("{{ else }}", "{% else %}"),
    ("{{ end }}", "{% endif %}"),
    ("{{/* a remark */}}", "{# a remark #}"),
]


def moved(name: str) -> str:
    """Return where a file goes, as the page's table has it."""
    found = re.search(rf"\| `{re.escape(name)}` \| `([^`]+)` \|", PAGE)
    assert found, f"the page does not say where {name} goes"
    return found[1]


def changed(text: str) -> str:
    """Return a template as the page's other tables have it."""
    for kratos, ours in CHANGES:
        text = text.replace(kratos, ours)
    return text


def test_the_page_names_what_a_kratos_template_uses() -> None:
    """Every construct of the small set above."""
    used = [
        ".RecoveryURL",
        ".ExpiresInMinutes",
        ".Identity.traits.name",
        "default",
        "{{ end }}",
        "eq",
        "{{/*",
        "upper",
    ]
    assert [kratos for kratos in used if kratos not in PAGE] == []


def test_a_moved_set_makes_the_mail_without_a_fault_or_a_warning(tmp_path: Path) -> None:
    """Subject, text and a complete HTML document, all from the moved files."""
    files = Files(tmp_path)
    loaded = files.load(override(files, **{moved(name): changed(text) for name, text in KRATOS.items()}))
    assert not [warning for warning in loaded.warnings if "templates" in warning]
    mail = render(message(content=reset()), ELLIE, loaded.mail, NOW)
    assert mail.fault is None
    parsed = mail_of(mail)
    text, html = (part.get_content() for part in parsed.iter_parts())
    link = f"https://idm.example.com/ui/reset?token={INTENT}"
    assert parsed["Subject"] == "Recover access, ELLIE"
    assert text.replace("\r\n", "\n").split("\n\n") == ["Hi Ellie,", link, "It expires in 55 minutes.\n"]
    assert "<p>Dear Ellie,</p>" in re.sub(r' style="[^"]*"', "", html)
    assert f'href="{link}"' in html


def test_a_set_that_was_not_changed_is_a_fault(tmp_path: Path) -> None:
    """Go's syntax is not Jinja's: it is reported with file and line, and not sent."""
    files = Files(tmp_path)
    found = files.faults(override(files, **{moved(name): text for name, text in KRATOS.items()}))
    assert {(fault.path.name, fault.line) for fault in found} == {
        ("subject.txt.j2", 1),
        ("body.txt.j2", 1),
        ("body.html.j2", 2),
    }
