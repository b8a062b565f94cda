"""The proxy on the way to the identity server, as curl reads the environment."""

import pytest

from tests.support.config_files import Files, only

PROXY = "http://proxy.example:3128"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take out what the machine itself has."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def proxy_of(files: Files, uri: str) -> str | None:
    """Return the proxy that is used for a server."""
    proxy = files.load("", {"uri": f'"{uri}"'}).source.proxy
    return proxy.get_secret_value() if proxy else None


EXEMPT = [
    ("https://127.0.0.1:8443", "127.0.0.0/8"), ("https://10.1.2.3", "192.168.0.0/16, 10.0.0.0/8"),
    ("https://10.1.2.3", "10.1.2.3"), ("https://10.1.2.3", "10.1.2.99/24"), ("https://[::1]:8443", "::1"),
    ("https://[::1]:8443", "[::1]"), ("https://[::1]:8443", "[::1]:8443"), ("https://[2001:db8::5]", "2001:db8::/32"),
    ("https://[2001:db8:0::5]", "2001:db8::5"), ("https://[2001:db8::5]", "[2001:db8::]/32"),
    ("https://idm.example.com", "*"), ("https://idm.example.com", "localhost,*"), ("https://10.1.2.3", "*"),
    ("https://idm.example.com", "example.com"), ("https://idm.example.com", ".example.com"),
    ("https://idm.example.com", "*.example.com"), ("https://example.com", ".example.com"),
    ("https://IDM.Example.COM", "idm.EXAMPLE.com"), ("https://idm.example.com.", "example.com"),
    ("https://idm.example.com", "example.com."), ("https://idm.example.com", "a.example b.example example.com"),
    ("https://idm.example.com:8443", "idm.example.com:8443"), ("https://idm.example.com", "example.com:443"),
    ("https://idm.straße.example", "straße.example"), ("https://idm.straße.example", "xn--strae-oqa.example"),
]  # fmt: skip


@pytest.mark.parametrize(("uri", "no_proxy"), EXEMPT)
def test_no_proxy_exempts_a_name_an_address_and_a_network(
    files: Files, monkeypatch: pytest.MonkeyPatch, uri: str, no_proxy: str
) -> None:
    """However it is written: with a dot before it or after it, in brackets, with a port, in capitals, beyond ASCII."""
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    assert proxy_of(files, uri) == PROXY
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_of(files, uri) is None
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1080")  # one that is not used is no fault
    assert proxy_of(files, uri) is None


PROXIED = [
    ("https://128.0.0.1", "127.0.0.0/8"), ("https://10.1.2.3", "10.0.0.0/33"), ("https://10.1.2.3", "2001:db8::/32"),
    ("https://myexample.com", "example.com"), ("https://myexample.com", ".example.com"),
    ("https://example.com", "*.example.com"), ("https://example.com.evil.example", "example.com"),
    ("https://idm.example.com:8443", "example.com:443"), ("https://[::1]:8443", "[::1]:443"),
    ("https://10.1.2.3", "3"), ("https://idm.example.com", ","), ("https://idm.example.com", "."),
    ("https://idm.example.com", "10.0.0.0/8"),
]  # fmt: skip


@pytest.mark.parametrize(("uri", "no_proxy"), PROXIED)
def test_no_proxy_exempts_nothing_else(
    files: Files, monkeypatch: pytest.MonkeyPatch, uri: str, no_proxy: str
) -> None:
    """A name that only ends alike, another port, a network that is none."""
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_of(files, uri) == PROXY


URLS = {
    "proxy:3128": "http://proxy:3128", "user:pa55@proxy:3128": "http://user:pa55@proxy:3128",
    "127.0.0.1:9": "http://127.0.0.1:9", "[::1]:3128": "http://[::1]:3128", "http://[::1]:3128": "http://[::1]:3128",
    "HTTP://proxy.example:3128/": "http://proxy.example:3128", " http://proxy:3128 ": "http://proxy:3128",
    "https://proxy.example": "https://proxy.example", "http://proxy.straße.example:1": "http://proxy.xn--strae-oqa.example:1",
}  # fmt: skip


@pytest.mark.parametrize("text", URLS)
def test_a_proxy_without_a_scheme_is_an_http_proxy_and_its_name_goes_out_in_ascii(
    files: Files, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """As in curl; a login in it is kept."""
    monkeypatch.setenv("https_proxy", text)
    assert proxy_of(files, "https://idm.example.com") == URLS[text]


def test_each_scheme_has_its_own_proxy(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY counts for http:// alone."""
    monkeypatch.setenv("HTTP_PROXY", "plain:1")
    assert proxy_of(files, "https://idm.example.com") is None
    assert proxy_of(files, "http://idm.example.com") == "http://plain:1"


@pytest.mark.parametrize(
    "text", ["socks5://proxy:1080", "http://", "http://pa55@", "proxy:99999", "two words", "a\u200bb"]
)
def test_what_is_no_http_proxy_is_a_fault_that_does_not_repeat_it(
    files: Files, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """It may hold a password."""
    monkeypatch.setenv("HTTPS_PROXY", text)
    fault = only(files.faults())
    assert fault.key == "HTTPS_PROXY"
    assert "is not the URL of an HTTP proxy" in fault.found
    assert "pa55" not in str(fault)
