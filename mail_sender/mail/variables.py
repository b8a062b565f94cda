"""The variables that templates get. `templating.kinds` lists their names; their values are made here.

The variables are made once for each language of the mail, since times are written in a language. Each part then gets
those of the first language, with the sentences of all languages (`say` and `languages`).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, assert_never

from babel import Locale

from mail_sender.mail import display_name, mime
from mail_sender.mail.config import MailConfig
from mail_sender.mail.links import RESET, REVOKE, link
from mail_sender.message import CredentialReset, Message, TestMessage, UnknownContent
from mail_sender.templating import wording
from mail_sender.templating.brand import Brand
from mail_sender.templating.dates import TemplateTime
from mail_sender.templating.filters import host
from mail_sender.templating.template_set import TemplateSet
from mail_sender.templating.wording import Escape

Variables = dict[str, Any]


def of(message: Message, config: MailConfig, date: datetime, language: str) -> Variables:
    """Return the variables in one language, without the sentences; times are counted from `date`, which is aware."""
    return {
        "instance_display_name": config.instance_display_name,
        "instance_url": config.instance_url,
        "instance_host": host(config.instance_url),
        "message_id": str(message.id),
        "language": language,
        "brand": _brand(config.appearance.brand, config.instance_display_name),
        **_of_kind(message, config, date, wording.locale(language)),
    }


def with_sentences(
    languages: Mapping[str, Variables], kind: str, templates: TemplateSet, escape: Escape
) -> Variables:
    """Return what one part gets: the first language's variables, and the sentences of all; `escape` is the part's.

    `languages` holds the variables of each language of the mail, in order.
    """
    sentences = []
    for language, variables in languages.items():
        given = {**variables, "support": variables["brand"]["support"]}
        sentences.append({**templates.wording(language).filled(kind, given, escape), "language": language})
    first = next(iter(languages.values()))
    return {**first, "say": sentences[0], "languages": sentences}


def _brand(brand: Brand, instance: str) -> Variables:
    width, height = brand.logo.shown if brand.logo else (0, 0)
    return {
        "name": brand.name or instance,
        "color": brand.color,
        "on_color": brand.on_color,
        "outline": brand.outline,
        "logo": mime.LOGO if brand.logo else "",
        "logo_width": width,
        "logo_height": height,
        "support": brand.support,
        "footer": brand.footer,
    }


def _of_kind(message: Message, config: MailConfig, date: datetime, locale: Locale) -> Variables:
    match message.content:
        case TestMessage(name):
            return {"display_name": display_name.clean(name)}
        case CredentialReset(name, intent_id, expires_at):
            expiry = TemplateTime(expires_at, date, config.appearance.zone, locale)
            return {
                "display_name": display_name.clean(name),
                "reset_url": link(config.instance_url, RESET, intent_id),
                "revoke_url": link(config.instance_url, REVOKE, intent_id),
                "expires_in": expiry.relative(),
                "expires_at": expiry,
            }
        case UnknownContent(fields=fields):
            return {"fields": _with_clean_name(fields)}
        case _ as never:
            assert_never(never)


def _with_clean_name(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    name = fields.get("display_name")
    return {**fields, "display_name": display_name.clean(name)} if isinstance(name, str) else fields
