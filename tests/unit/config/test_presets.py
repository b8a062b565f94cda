"""`[relay] preset`: what it puts in, what goes over it, and what is missing."""

import pytest

from mail_sender.config.config import Config
from mail_sender.doctor.domain.providers import provider_of
from mail_sender.relay import relay_url
from mail_sender.relay.config import CONNECTIONS
from mail_sender.relay.presets import Preset, presets
from tests.support.config_files import Files, only
from tests.support.configs import relay_of

NO_RELAY: dict[str, str | None] = {"mail_relay": None}
REGIONS = {"ses": "eu-central-1"}


def load(files: Files, name: str, more: str = "", **changes: str | None) -> Config:
    region = f'region = "{REGIONS[name]}"\n' if name in REGIONS else ""
    return files.load(f'[relay]\npreset = "{name}"\n{region}{more}', **NO_RELAY | changes)


@pytest.mark.parametrize(("name", "preset"), presets().items())
def test_each_preset_loads_with_a_login_alone(files: Files, name: str, preset: Preset) -> None:
    """Host, port and TLS of a provider that `doctor` knows; the headers against tracking are in each mail."""
    config = load(files, name)
    relay = relay_of(config)
    place = relay_url.parse(preset.mail_relay(REGIONS.get(name)))
    assert (relay.host, relay.port, relay.security) == (place.host, place.port, place.security)
    assert provider_of(relay.host) is not None
    assert dict(config.mail.headers) == dict(preset.headers)
    assert config.sender.reputation.limits.per_minute == preset.per_minute
    assert relay.connections == (preset.connections or CONNECTIONS)
    assert relay.username == "idm"


@pytest.mark.parametrize(("name", "preset"), presets().items())
def test_each_region_of_a_preset_has_a_relay_of_its_own(name: str, preset: Preset) -> None:
    """The first one is meant if none is named."""
    places = [relay_url.parse(url) for url in preset.regions.values()]
    assert len({place.host for place in places}) == len(places)
    if places:
        assert preset.mail_relay(None) == next(iter(preset.regions.values())), name


def test_what_the_configuration_says_goes_over_the_preset(files: Files) -> None:
    """Each key alone; headers whatever their case."""
    own = '[headers]\nx-pm-tracklinks = "HtmlOnly"\n'
    config = load(files, "postmark", own, mail_relay='"smtp://smtp.postmarkapp.com:2525"')
    assert relay_of(config).port == 2525
    assert dict(config.mail.headers) == {"x-pm-tracklinks": "HtmlOnly", "X-PM-TrackOpens": "false"}
    ours = load(files, "microsoft365", "per_minute = 20\nconnections = 2\n")
    assert (ours.sender.reputation.limits.per_minute, relay_of(ours).connections) == (20, 2)


def test_a_user_that_is_the_same_for_everybody_is_put_in(files: Files) -> None:
    """SendGrid's; without a password it is half a login, and the fault says whose it is."""
    config = load(files, "sendgrid", mail_username=None)
    assert relay_of(config).username == "apikey"
    fault = only(
        files.faults('[relay]\npreset = "sendgrid"\n', mail_relay=None, mail_username=None, mail_password=None)
    )
    assert 'mail_username (of the preset "sendgrid"): is set, but mail_password is not' in str(fault)


OAUTH = '[relay.oauth]\nclient_id = "app"\n'
MICROSOFT = f'{OAUTH}tenant = "acme.zz"\n'


@pytest.mark.parametrize(
    ("name", "table", "url", "scope"),
    [
        ("microsoft365", f'{MICROSOFT}flow = "client_credentials"\nclient_secret = "x-y-z"\n', "https://login.microsoftonline.com/acme.zz/oauth2/v2.0/token", "https://outlook.office365.com/.default"),
        ("microsoft365", f'{MICROSOFT}flow = "refresh_token"\nrefresh_token = "x-y-z"\n', "https://login.microsoftonline.com/acme.zz/oauth2/v2.0/token", "https://outlook.office.com/SMTP.Send offline_access"),
        ("gmail", f'{OAUTH}flow = "refresh_token"\nrefresh_token = "x-y-z"\n', "https://oauth2.googleapis.com/token", ""),
        ("gmail", f'{OAUTH}flow = "refresh_token"\nrefresh_token = "x-y-z"\ntoken_url = "https://login.acme.zz/"\n', "https://login.acme.zz/", ""),
    ],
)  # fmt: skip
def test_endpoint_and_scope_of_oauth_are_put_in(files: Files, name: str, table: str, url: str, scope: str) -> None:
    """By flow; the tenant stands in Microsoft's URL."""
    oauth = relay_of(load(files, name, table, mail_username=None, mail_password=None)).oauth
    assert oauth is not None
    assert (oauth.token_url, oauth.scope) == (url, scope)


def test_a_command_gets_no_endpoint(files: Files) -> None:
    """The flow uses none."""
    table = '[relay.oauth]\nflow = "command"\ncommand = ["true"]\n'
    oauth = relay_of(load(files, "microsoft365", table, mail_username=None, mail_password=None)).oauth
    assert oauth is not None
    assert oauth.token_url == ""


@pytest.mark.parametrize(
    ("tables", "key", "text"),
    [
        ('[relay]\npreset = "mircosoft"\n', "relay.preset", "expected one of microsoft365, gmail"),
        ('[relay]\npreset = "ses"\n', "relay.region", "is missing; expected a region such as eu-central-1"),
        ('[relay]\npreset = "ses"\nregion = "evil.example/"\n', "relay.region", "is no region of Amazon SES"),
        ('[relay]\npreset = "mailgun"\nregion = "asia"\n', "relay.region", "expected us or eu"),
        ('[relay]\npreset = "fastmail"\nregion = "eu"\n', "relay.region", "has no regions"),
        ('[relay]\npreset = 7\n', "relay.preset", "expected text"),
    ],
)  # fmt: skip
def test_what_a_preset_lacks_is_one_fault(files: Files, tables: str, key: str, text: str) -> None:
    """It does not lead to others, such as a missing relay."""
    fault = only(files.faults(tables, **NO_RELAY))
    assert fault.key == key
    assert text in str(fault)
    assert fault.line is not None


@pytest.mark.parametrize(
    ("tables", "key"),
    [
        ('[relay]\nregion = "eu"\n', "relay.region"),
        ('[relay]\npreset = "gmail"\n[relay.oauth]\ntenant = "a.zz"\nflow = "command"\ncommand = ["true"]\n', "relay.oauth.tenant"),
        ('[relay]\npreset = "microsoft365"\n[relay.oauth]\nflow = "client_credentials"\nclient_id = "a"\nclient_secret = "b-c"\n', "relay.oauth.tenant"),
    ],
)  # fmt: skip
def test_a_region_or_tenant_that_is_of_no_use_or_missing_is_a_fault(files: Files, tables: str, key: str) -> None:
    """Somebody wrote it for a reason, or forgot it."""
    assert key in {fault.key for fault in files.faults(tables, mail_username=None, mail_password=None)}
