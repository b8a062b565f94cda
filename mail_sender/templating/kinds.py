"""The kinds of mail, and the variables that a template of each may use.

A kind is the tag of a queue entry in snake case. To add a variable, add it here and to `mail.variables`, which makes
its value. The check of templates, `template list` and the tables in docs/templates.md use this list.
"""

from mail_sender.message import CredentialReset, TestMessage

COMMON = {
    "instance_display_name": "from the configuration",
    "instance_url": "from the configuration",
    "instance_host": "the host of `instance_url`, to which every link leads",
    "message_id": "the id of the message in the identity server's queue",
    "language": "the mail's (first) language",
    "say": "the sentences of the current language, by name: `{{ say.greeting }}`",
    "languages": "the sentences of each language of the mail, one or two; the frame repeats its text for each",
    "brand": "`brand.name`, `brand.color`, `brand.on_color` (for text on it), `brand.outline` (a line around it), "
    "`brand.logo` (the link to the logo, or nothing), "
    "`brand.logo_width`, `brand.logo_height` (its shown size in pixels), `brand.support`, `brand.footer`",
    "subject": "the finished subject; only in the bodies",
}
"""Variables of every kind, and what each holds."""

KINDS = {
    TestMessage.kind: {
        "display_name": "the person's name, with spaces in what could become a link; empty if nothing can be shown"
    },
    CredentialReset.kind: {
        "display_name": "the person's name, with spaces in what could become a link; empty if nothing can be shown",
        "reset_url": "the link that resets the credentials",
        "revoke_url": "the link that cancels the reset",
        "expires_in": 'how long the link still works: "in 55 minutes"',
        "expires_at": 'when the link expires: "21 November 2026, 14:05 CET"',
    },
}
"""The other variables of each known kind."""

FIELDS = {"fields": "all fields of the message, with the names that the server gave them"}
"""The other variables of a kind that this version does not know, if an override folder has templates for it."""


def own(kind: str) -> dict[str, str]:
    """Return the variables of a kind that other kinds do not have, and what they hold."""
    return KINDS.get(kind, FIELDS)
