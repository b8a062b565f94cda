"""The look: all that decides how a mail reads, besides what it says of its sender."""

from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from mail_sender import template_set
from mail_sender.brand import Brand
from mail_sender.languages import Languages
from mail_sender.template_set import TemplateSet


@dataclass(frozen=True)
class Look:
    """The templates, the languages, the zone that times are told in, the brand; `html` says whether there is HTML."""

    templates: TemplateSet = field(default_factory=template_set.built_in)
    html: bool = True
    languages: Languages = field(default_factory=Languages)
    zone: tzinfo = UTC
    brand: Brand = field(default_factory=Brand)
