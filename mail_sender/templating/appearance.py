"""The look: all that decides how a mail reads, besides what it says of its sender."""

from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from mail_sender.templating import template_set
from mail_sender.templating.brand import Brand
from mail_sender.templating.languages import Languages
from mail_sender.templating.template_set import TemplateSet


@dataclass(frozen=True)
class Appearance:
    """The templates, the languages, the zone that times are told in, the brand; `html` says whether there is HTML."""

    templates: TemplateSet = field(default_factory=template_set.built_in)
    html: bool = True
    languages: Languages = field(default_factory=Languages)
    zone: tzinfo = UTC
    brand: Brand = field(default_factory=Brand)
