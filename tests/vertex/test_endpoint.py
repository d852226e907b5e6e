"""Where a request goes: hosts of locations, paths of models, and the hosts that may see a Google token."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from vertex_claude_magic import Claude
from vertex_claude_magic.errors import OptionError, UntrustedHost
from vertex_claude_magic.vertex.endpoint import (
    base_url_of,
    check_location,
    check_token_host,
    is_loopback,
    model_path,
)

HOSTS = {
    "global": "aiplatform.googleapis.com",
    "us": "aiplatform.us.rep.googleapis.com",
    "eu": "aiplatform.eu.rep.googleapis.com",
    "us-east5": "us-east5-aiplatform.googleapis.com",
    "europe-west1": "europe-west1-aiplatform.googleapis.com",
    "asia-southeast1": "asia-southeast1-aiplatform.googleapis.com",
    "mars-north7": "mars-north7-aiplatform.googleapis.com",
}

NO_LOCATIONS = [
    "", " ", ".", "..", "us east5", "us-east5 ", "us-east5\n", "US-EAST5", "us_east5", "-us", "us-", "us.east5",
    "evil.example/", "evil.example#", "evil.example?", "us/../..", "us:443", "us@evil.example", "us%2eeast5", "us;x",
    "eu\u2024x", "ünïted", "日本", "us\x00", "[::1]", "x" * 64, "x" * 1000,
]  # fmt: skip

# What a user could write for a model or a project, and how it stands in the path.
ENCODED = {
    "claude-haiku-4-5@20251001": "claude-haiku-4-5@20251001",
    "claude-opus-5-5@default": "claude-opus-5-5@default",
    "a/b": "a%2Fb",
    "../x": "..%2Fx",
    "a/../../b": "a%2F..%2F..%2Fb",
    "a\\b": "a%5Cb",
    "a?b#c": "a%3Fb%23c",
    "a b": "a%20b",
    " a": "%20a",
    "a;x": "a%3Bx",
    "a%3Bx": "a%253Bx",
    "%3Bx": "%253Bx",
    "a%2Fb": "a%252Fb",
    "m:otherVerb;x": "m%3AotherVerb%3Bx",
    "m:predict": "m%3Apredict",
    "m:streamRawPredict?": "m%3AstreamRawPredict%3F",
    "a\r\nHost: evil": "a%0D%0AHost%3A%20evil",
    "a\x00": "a%00",
    "ключ": "%D0%BA%D0%BB%D1%8E%D1%87",
    "🎉": "%F0%9F%8E%89",
    "\ud800": "%3F",
    "...": "...",
    "x" * 500: "x" * 500,
}

REFUSED = [
    "", " ", "\t\n", ".", "..", "%2e%2e", "%2E", ".%2e", ";", ";x", "..;x", ".;", "%2e%2e;x", "x" * 501, "x" * 1000]  # fmt: skip

GOOGLE = [
    "https://aiplatform.googleapis.com/v1",
    "https://us-east5-aiplatform.googleapis.com/v1/projects/p",
    "https://aiplatform.eu.rep.googleapis.com/v1",
    "https://AIPLATFORM.GOOGLEAPIS.COM/v1",
    "https://aiplatform.googleapis.com:443/v1",
    "https://googleapis.com",
]
LOOPBACK = [
    "http://127.0.0.1:8080/v1",
    "http://127.8.9.1/v1",
    "http://localhost:8080/v1",
    "http://LOCALHOST/v1",
    "http://[::1]:8080/v1",
    "https://127.0.0.1/v1",
]
# Addresses that must never see a token, many of which look as if they were Google's.
STRANGERS = [
    "http://aiplatform.googleapis.com/v1",
    "https://example.com/v1",
    "https://googleapis.com.evil.example/v1",
    "https://aiplatform.googleapis.com.evil.example/v1",
    "https://evilgoogleapis.com/v1",
    "https://evil-googleapis.com/v1",
    "https://googleapis.com./v1",
    "https://aiplatform.googleapis.com./v1",
    "https://evil.example/aiplatform.googleapis.com",
    "https://evil.example?.googleapis.com",
    "https://evil.example#.googleapis.com",
    "https://evil.example\\.googleapis.com",
    "https://evil.example;.googleapis.com",
    "https://evil.example%2f.googleapis.com",
    "https://evil.example%00.googleapis.com",
    "https://evil.example\t.googleapis.com",
    "https://evil.example\n.googleapis.com",
    "https://evil.example .googleapis.com",
    " https://aiplatform.googleapis.com/v1",
    "https://aiplatform.googleapis.com@evil.example/v1",
    "https://user@aiplatform.googleapis.com/v1",
    "https://user:secret@aiplatform.googleapis.com/v1",
    "https://@aiplatform.googleapis.com/v1",
    "https://aiplatform.googleapis.com:443@evil.example/v1",
    "https://evil.example\\@aiplatform.googleapis.com/v1",
    "https://aiplatform.googleapis.com:0/v1",
    "https://aiplatform.googleapis.com:port/v1",
    "https://aiplatform.googleapis.com:99999/v1",
    "https://aiplatform.googleapіs.com/v1",  # a Cyrillic letter
    "https://aiplatform。googleapis。com/v1",
    "https://xn--googleaps-p7a.com/v1",
    "https://[aiplatform.googleapis.com]/v1",
    "https://[::1",
    "https://[::1]x/v1",
    "https://x[::1]/v1",
    "ftp://aiplatform.googleapis.com/v1",
    "file:///etc/passwd",
    "//aiplatform.googleapis.com/v1",
    "aiplatform.googleapis.com/v1",
    "https:///v1",
    "https://",
    "",
    "http://127.0.0.1.evil.example/v1",
    "http://localhost.evil.example/v1",
    "http://127.0.0.1@evil.example/v1",
    "http://localhost./v1",
    "http://0.0.0.0/v1",
    "http://2130706433/v1",
    "http://169.254.169.254/v1",
    "http://10.0.0.1/v1",
    "ftp://127.0.0.1/v1",
]  # fmt: skip


@pytest.mark.parametrize(("location", "host"), HOSTS.items())
def test_each_kind_of_location_has_its_host(location, host):
    """Global, the two multi-regions, and regions, known or not."""
    assert base_url_of(location) == f"https://{host}/v1"


@pytest.mark.parametrize("location", NO_LOCATIONS)
def test_a_location_that_cannot_stand_in_a_host_name_is_refused(location):
    """Case 42: one label of a host name, or an error before anything is sent."""
    with pytest.raises(OptionError, match="not a Google Cloud location"):
        check_location(location)
    with pytest.raises(OptionError):
        base_url_of(location)


@given(st.text(max_size=20))
def test_no_location_changes_the_host(location):
    """Case 42: whatever passes is still a host of Google."""
    try:
        url = base_url_of(location)
    except OptionError:
        return
    assert urlsplit(url).hostname.endswith("aiplatform.googleapis.com") or location in {"us", "eu"}
    check_token_host(url)


@pytest.mark.parametrize(("value", "encoded"), ENCODED.items())
def test_a_model_is_one_segment_of_the_path(value, encoded):
    """Case 42: percent-encoded as RFC 3986 says, and `;` and `:` as well."""
    path = model_path(project="p", location="global", model=value, verb="rawPredict")
    assert path == f"/projects/p/locations/global/publishers/anthropic/models/{encoded}:rawPredict"


@pytest.mark.parametrize("name", ["project", "model"])
@pytest.mark.parametrize("value", REFUSED)
def test_a_segment_that_would_change_the_path_is_refused(name, value):
    """Case 42: empty, dots, a leading `;`, or too long; the error names the option."""
    parts = {"project": "p", "location": "global", "model": "m", name: value}
    with pytest.raises(OptionError, match=f"is not a valid {name}") as caught:
        model_path(**parts, verb="rawPredict")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "project", ["My Project", "bad project!", 'my-"project"', "my-project,", "mein-pröjekt", "a/b"]
)
def test_what_is_no_id_of_a_project_is_refused_before_anything_is_sent(project):
    """People give its name, with blanks; sent, it was a refusal whose cure could not be run."""
    with pytest.raises(OptionError, match="is not a valid project id") as caught:
        Claude(project=project).request("Hello")
    assert (
        caught.value.cure
        == "Use the id, such as my-project-123, and not the name. project is a setting of the client."
    )


def test_a_domain_scoped_project_keeps_its_colon():
    """Old projects of a domain are named example.com:my-project."""
    path = model_path(project="example.com:my-project", location="us", model="m", verb="rawPredict")
    assert path.startswith("/projects/example.com:my-project/locations/us/")


@given(st.text(max_size=30), st.text(max_size=30))
def test_host_verb_and_depth_of_the_path_never_change(project, model):
    """Case 42: also after the HTTP library has normalised the address."""
    try:
        path = model_path(project=project, location="global", model=model, verb="rawPredict")
    except OptionError:
        return
    url = requests.Request("POST", "https://aiplatform.googleapis.com/v1" + path).prepare().url
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == (
        "https",
        "aiplatform.googleapis.com",
        "",
        "",
    )
    segments = parts.path.split("/")
    assert [*segments[:3], *segments[4:9]] == [
        "", "v1", "projects", "locations", "global", "publishers", "anthropic", "models"]  # fmt: skip
    assert len(segments) == 10
    sent, _, verb = segments[9].partition(":")
    assert verb == "rawPredict"
    assert ";" not in parts.path
    assert unquote(sent) == model.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("url", GOOGLE + LOOPBACK)
def test_a_token_goes_to_google_over_tls_and_to_this_machine(url):
    """Cases 40 and 41: these and no others, as long as nothing is trusted."""
    check_token_host(url)


@pytest.mark.parametrize("url", STRANGERS)
def test_a_token_goes_nowhere_else(url):
    """Case 40: refused by name in one line with a cure, however the address is dressed up."""
    with pytest.raises(UntrustedHost) as caught:
        check_token_host(url)
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(caught.value.details)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("url", ["https://user:secret@host:port/v1", "https://user:secret@[::1/v1"])
def test_an_unreadable_address_is_not_quoted(url):
    """It may hold a password."""
    with pytest.raises(UntrustedHost) as caught:
        check_token_host(url, ["host"])
    assert "secret" not in f"{caught.value} {caught.value.details}"


@pytest.mark.parametrize("name", ["gateway.example", "GATEWAY.Example"])
@pytest.mark.parametrize("url", ["https://gateway.example/v1", "https://Gateway.Example:8443/vertex/v1"])
def test_a_gateway_that_the_user_names_is_trusted(url, name):
    """Case 41: over https, by the exact host name, whatever its port."""
    check_token_host(url, ["other.example", name])


def test_a_gateway_may_be_trusted_by_its_address():
    """Case 41: of either kind, without the brackets of a URL."""
    trusted = ["10.0.0.1", "2001:db8::1"]
    for url in ("https://10.0.0.1/v1", "https://[2001:db8::1]/v1", "https://[2001:DB8::1]:8443/v1"):
        check_token_host(url, trusted)
    for url in (
        "https://10.0.0.2/v1",
        "https://[2001:db8::2]/v1",
        "http://[2001:db8::1]/v1",
        "https://[2001:db8::1]x/v1",
        "https://x[2001:db8::1]/v1",
    ):
        with pytest.raises(UntrustedHost):
            check_token_host(url, trusted)


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.example/v1",
        "https://sub.gateway.example/v1",
        "https://gateway.example.evil.example/v1",
        "https://evilgateway.example/v1",
        "https://user@gateway.example/v1",
        "https://gateway.example./v1",
        "https://evil.example/gateway.example",
    ],
)
def test_trust_in_a_gateway_is_trust_in_nothing_else(url):
    """Case 41: not without TLS, not for its subdomains, not with a user name."""
    with pytest.raises(UntrustedHost):
        check_token_host(url, ["gateway.example"])


@pytest.mark.parametrize("name", ["", "*", "*.example", ".example", "https://gateway.example"])
def test_trusted_hosts_hold_no_patterns(name):
    """A name that is no host name trusts nothing."""
    with pytest.raises(UntrustedHost):
        check_token_host("https://gateway.example/v1", [name])


@pytest.mark.parametrize(
    "name",
    ["", "*.example", ".example", "https://gateway.example/v1", "gateway.example:443", "abc.de:443", "a b"],
)
def test_what_is_no_host_name_is_told_and_how_to_write_one(name):
    """An address with more than that never matches, and whoever wrote it believes that it does."""
    with pytest.raises(UntrustedHost) as caught:
        check_token_host("https://gateway.example/v1", ["other.example", name])
    assert caught.value.cure == (
        f"Write host names alone into trusted_hosts, such as gateway.example: {name!r} matches none."
    )


@pytest.mark.parametrize("name", ["other.example", "GATEWAY-2.example", "::1", "10.0.0.1", "localhost"])
def test_another_host_is_no_slip(name):
    with pytest.raises(UntrustedHost) as caught:
        check_token_host("https://gateway.example/v1", [name])
    assert "in the setting trusted_hosts" in caught.value.cure


@pytest.mark.parametrize("url", LOOPBACK)
def test_loopback_addresses_are_known(url):
    """Names and numbers of this machine."""
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url", [*GOOGLE, "http://127.0.0.1.evil.example", "http://localhost.evil.example", "http://[::1", "", "x"]
)
def test_other_addresses_are_not_loopback(url):
    """Whatever only begins like one."""
    assert not is_loopback(url)
