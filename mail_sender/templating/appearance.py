"""The appearance: everything that decides how a mail looks and reads, except whose mail it is."""

from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from mail_sender.templating import template_set
from mail_sender.templating.brand import Brand
from mail_sender.templating.languages import Languages
from mail_sender.templating.template_set import TemplateSet


@dataclass(frozen=True)
class Appearance:
    """Templates, languages, the zone in which times are written, and the brand; `html` is whether there is HTML."""

    templates: TemplateSet = field(default_factory=template_set.built_in)
    html: bool = True
    languages: Languages = field(default_factory=Languages)
    zone: tzinfo = UTC
    brand: Brand = field(default_factory=Brand)
