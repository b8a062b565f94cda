"""Mail addresses: which are valid, their form in an envelope, and how much of one a log may show.

email-validator knows the grammar (RFC 5321, 5322, 6531, 5890). It also refuses special-use and dotless
domains, which are normal inside a company (`corp.local`, `localhost`): here they are valid.
"""


class BadAddress(ValueError):
    """The text is not a bare mail address; the message says why, without repeating it."""


def parse(text: str) -> str:
    """Return the address in the form that goes into an envelope: its domain in ASCII (RFC 5890).

    Raises `BadAddress` for anything but `local@domain`: display names, comments, quoted local parts,
    address literals, control characters, parts that are too long.
    """
    # It takes longer to import than any other module, and not every command needs it.
    import email_validator  # noqa: PLC0415

    # Its documentation says to allow them like this.
    email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()
    try:
        found = email_validator.validate_email(
            text, strict=True, check_deliverability=False, globally_deliverable=False
        )
    except email_validator.EmailNotValidError as error:
        raise BadAddress(_first_sentence(str(error))) from None
    if "=?" in found.local_part:
        raise BadAddress("it looks like an encoded word, which mail programs would show as something else")
    return f"{found.local_part}@{found.ascii_domain}"


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".")


def domain(address: str) -> str:
    """Return the part after the last `@`."""
    return address.rpartition("@")[2]


def mask(address: str) -> str:
    """Return the address as logs show it: `e***@example.com`."""
    local, _, host = address.rpartition("@")
    return f"{local[:1]}***@{host[:64]}" if local else "***"
