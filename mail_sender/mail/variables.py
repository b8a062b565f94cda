"""The variables that templates get. `templating.kinds` lists their names; their values are made here.

The variables are made once for each language of the mail, since times are written in a language. Each part then gets
those of the first language, with the sentences of all languages (`say` and `languages`).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, assert_never

from mail_sender.mail import display_name, mime
from mail_sender.mail.config import MailConfig
from mail_sender.mail.links import RESET, REVOKE, link
from mail_sender.message import CredentialReset, Message, TestMessage, UnknownContent
from mail_sender.templating import wording
from mail_sender.templating.brand import Brand
from mail_sender.templating.dates import TemplateTime
from mail_sender.templating.filters import host
from mail_sender.templating.template_set import TemplateSet

Variables = dict[str, Any]


def varying(message: Message, config: MailConfig, date: datetime, languages: tuple[str, ...]) -> dict[str, Variables]:
    """Return what differs from mail to mail, in each language; times are counted from `date`, which is aware."""
    common = {"message_id": str(message.id), **_of_kind(message, config)}
    return {tag: {**common, **_times(message, config, date, tag)} for tag in languages}


def complete(config: MailConfig, varying: Mapping[str, Variables]) -> dict[str, Variables]:
    """Return all variables in each language, without the sentences: also what is the same in every mail."""
    brand = _brand(config.appearance.brand, config.instance_display_name)
    return {
        tag: {
            "instance_display_name": config.instance_display_name,
            "instance_url": config.instance_url,
            "instance_host": host(config.instance_url),
            "language": tag,
            "brand": brand,
            **values,
        }
        for tag, values in varying.items()
    }


def with_sentences(
    languages: Mapping[str, Variables], kind: str, templates: TemplateSet, escape: Callable[[str], object]
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


def _of_kind(message: Message, config: MailConfig) -> Variables:
    match message.content:
        case TestMessage(name):
            return {"display_name": display_name.clean(name)}
        case CredentialReset(name, intent_id):
            return {
                "display_name": display_name.clean(name),
                "reset_url": link(config.instance_url, RESET, intent_id),
                "revoke_url": link(config.instance_url, REVOKE, intent_id),
            }
        case UnknownContent(fields=fields):
            return {"fields": _with_clean_name(fields)}
        case _ as never:
            assert_never(never)


def _times(message: Message, config: MailConfig, date: datetime, language: str) -> Variables:
    if not isinstance(message.content, CredentialReset):
        return {}
    expiry = TemplateTime(message.content.expires_at, date, config.appearance.zone, wording.locale(language))
    return {"expires_in": expiry.relative(), "expires_at": expiry}


def _with_clean_name(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    name = fields.get("display_name")
    return {**fields, "display_name": display_name.clean(name)} if isinstance(name, str) else fields
