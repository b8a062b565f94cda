"""Values that were never filled in: `${DOMAIN}`, `<your domain>`, `changeme`, and what stands in our own examples."""

import re

_VARIABLE = re.compile(
    r"""
      \$\{[^{}]*\} | \$\([^()]*\)                                   # a shell's, a compose file's, Kubernetes'
    | \{\{.*?\}\} | \{%.*?%\}                                       # a template's: Helm, Ansible
    | \$[A-Z][A-Z0-9]*_[A-Z0-9_]+ | %[A-Z][A-Z0-9]*_[A-Z0-9_]*%
    | @[A-Z][A-Z0-9]*_[A-Z0-9_]*@ | \b__[A-Z][A-Z0-9_]+__\b
    """,
    re.VERBOSE,
)
_THING = (
    "token|password|passwd|secret|key|user|username|login|domain|host|hostname|server|relay"
    "|name|company|address|email"
)
_DOMAIN = re.compile(r"(?:^|[@/.])your-?(?:domain|company|server|organi[sz]ation)\.", re.IGNORECASE)
_STAND_IN = re.compile(
    rf"""
      <[a-z '_-]*>                       # no URL or domain: List-Unsubscribe and List-Id have them
    | (?-i:\$[A-Z]{{2,}}(?:_[A-Z0-9]+)*)  # no $ecret9, which is a password
    | x{{3,12}} | \*{{3,12}} | \.{{3,}} | …+ | _{{3,12}} | \?{{3,12}}
    | %[A-Z][A-Z0-9_]*% | %\([a-z_]+\)s
    | (?-i:TODO|todo) | fixme | tbd | placeholder | redacted
    | (?:please[-_])?(?:change|replace)[-_]?(?:me|this|it)(?:[-_]?(?:now|please|later|{_THING}))?[!.]*
    | your[-_](?:[a-z0-9]+[-_])?(?:{_THING})(?:[-_]here)?
    | (?:insert|paste|put|enter)[-_].*here | (?:replace|change)[-_](?:with|by)[-_].*
    | .*(?:goes|paste-the-token)[-_]here
    """,
    re.VERBOSE | re.IGNORECASE,
)


def is_placeholder(text: str) -> bool:
    """Say whether a whole value is one; to be asked of secrets, which may hold anything."""
    text = text.strip()
    return _STAND_IN.fullmatch(text) is not None or _VARIABLE.fullmatch(text) is not None


def holds_placeholder(text: str) -> bool:
    """Say whether a value is a placeholder, or one stands in it, such as a URL's host or an address's domain."""
    parts = [text] if " " in text or text.startswith("/") else re.split("[@/:]+", text)
    found = _VARIABLE.search(text) or (" " not in text and _DOMAIN.search(text))
    return bool(found) or any(map(is_placeholder, [text, *parts]))
