"""Parts of a URL that have no effect: each is a warning, since somebody wrote it for a reason."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from mail_sender.config.toml_file import TomlFile
from mail_sender.config.values import shown


def warnings(client_file: TomlFile, sender_file: TomlFile) -> Iterator[str]:
    """Yield one sentence for each, of files whose values have been checked."""
    uri, instance = (str(file.value((key,))) for file, key in ((client_file, "uri"), (sender_file, "instance_url")))
    for key, url in (("uri", uri), ("instance_url", instance)):
        if (path := urlsplit(url).path).strip("/"):
            yield f"{key}: its path {shown(path)} is ignored: Kanidm stands at the root of its host"
    if urlsplit(instance).fragment:
        yield "instance_url: what follows the # is ignored"
    if re.search(r"\?[^@]*$", str(sender_file.value(("mail_relay",)))):
        yield "mail_relay: its query is ignored: TLS is always used, and certificates are always checked"
