"""Host and origin checks, and the security headers of every answer."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from poster_genre.cli.main import main
from poster_genre.web.security.host_names import LOOPBACK, allowed_hosts
from poster_genre.web.security.host_origin_check import host_name, same_site
from poster_genre.web.security.response_headers import HEADERS
from tests.poster_genre.web.problem_document import problem


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:9", "[::1]:8000"])
def test_the_loopback_names_are_answered(live: Any, host: str) -> None:
    assert live.client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "", "[::1"]
)
def test_another_host_name_that_resolves_to_this_machine_is_refused(live: Any, host: str) -> None:
    problem(live.client.get("/healthz", headers={"Host": host}), 421)
    assert live.client.get("/", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_requests_from_other_sites_are_refused(live: Any, poster: bytes, headers: dict[str, str]) -> None:
    problem(live.predict(poster, headers=headers), 403)


def test_requests_from_our_own_page_and_from_no_page_are_answered(live: Any, poster: bytes) -> None:
    own = {"Origin": live.url, "Sec-Fetch-Site": "same-origin"}
    assert live.predict(poster, headers=own).status_code == 200
    assert live.predict(poster).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/api"),
        ("GET", "/model"),
        ("GET", "/static/app.css"),
        ("GET", "/static/examples/romance.jpg"),
        ("GET", "/openapi.json"),
        ("GET", "/nowhere"),
        ("PUT", "/api/v1/predict"),
        ("POST", "/api/v1/predict"),
    ],
)
def test_every_answer_carries_the_security_headers(live: Any, method: str, path: str) -> None:
    answer = live.client.request(method, path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "server" not in answer.headers
    assert answer.headers["cache-control"] in ("no-cache", "no-store")


def test_the_content_policy_allows_no_other_origin() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    for loose in ("unsafe", "http:", "https:", "*"):
        assert loose not in policy


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static//etc/passwd",
        "/static/",
        "/x",
    ],
)
def test_no_path_leads_to_other_files(live: Any, path: str) -> None:
    with live.connect() as link:
        link.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert b"404 Not Found" in link.recv(4096)


def test_a_method_that_a_path_does_not_have_is_a_problem(live: Any) -> None:
    answer = live.client.get("/api/v1/predict")
    assert problem(answer, 405) == "GET is not allowed at this path"
    assert answer.headers["allow"] == "POST"


def test_a_bug_is_status_500_without_details(
    live: Any, poster: bytes, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*arguments: Any) -> Any:
        raise RuntimeError("SECRET of the implementation")

    monkeypatch.setattr("poster_genre.web.inference.batch_predictor.predict_pictures", broken)
    answer = live.predict(poster)
    assert problem(answer, 500) == "something went wrong in the server; its log says more"
    assert "SECRET" not in answer.text
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    monkeypatch.undo()
    assert live.predict(poster).status_code == 200


def test_a_file_that_the_browser_has_is_not_sent_again(live: Any) -> None:
    first = live.client.get("/static/app.js")
    again = live.client.get("/static/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


NETWORK = allowed_hosts("0.0.0.0", ["Films.Example", "*.posters.example."])


@pytest.mark.parametrize(
    "name",
    ["films.example", "a.posters.example", "a.b.posters.example", "192.168.1.5", "fe80::1", "localhost"],
)
def test_on_a_network_the_given_names_and_every_address_are_answered(name: str) -> None:
    assert name in NETWORK


@pytest.mark.parametrize(
    "name", ["evil.example", "posters.example", "xposters.example", "1.2.3.4.evil.example"]
)
def test_on_a_network_other_names_are_refused(name: str) -> None:
    assert name not in NETWORK


def test_the_machines_own_name_is_answered_on_a_network_only() -> None:
    own = socket.gethostname().lower()
    assert own in allowed_hosts("0.0.0.0")
    assert "192.168.1.5" not in allowed_hosts("127.0.0.1")
    assert list(allowed_hosts("127.0.0.1", ["films.example"]).names) == [*LOOPBACK, "films.example"]


def test_the_names_are_listed_for_people() -> None:
    assert str(allowed_hosts("::1", ["*.example.org"])) == "localhost, 127.0.0.1, ::1, *.example.org"
    assert str(NETWORK).endswith(", *.posters.example, any IP address")


@pytest.mark.parametrize(
    "name",
    [
        "posters.test:18452",
        "https://posters.test",
        "*",
        "",
        "posters.test/path",
        "*.",
        "a b",
        "user@a.example",
    ],
)
def test_a_name_that_no_request_can_have_is_refused_at_the_start(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--allow-host", name]) == 2
    assert f"--allow-host '{name}' is not a host name; give the name alone" in capsys.readouterr().err


def test_the_refusal_of_a_proxys_request_says_what_was_compared(live: Any, poster: bytes) -> None:
    headers = {"Origin": "https://posters.example", "Host": f"127.0.0.1:{live.port}"}
    detail = problem(live.predict(poster, headers=headers), 403)
    assert f"the page is from 'https://posters.example' and this server is '127.0.0.1:{live.port}'" in detail
    assert "proxy_set_header Host $http_host" in detail


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://\xff", "//", "ftp://127.0.0.1"])
def test_a_malformed_origin_is_refused_like_another_site(live: Any, poster: bytes, origin: str) -> None:
    answer = live.predict(poster, headers={"Origin": origin.encode("latin-1")})
    problem(answer, 403)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("https://a.example", "a.example", True),
        ("https://A.example:443", "a.example", True),
        ("http://a.example", "a.example:80", True),
        ("https://a.example:8443", "a.example", False),
        ("null", "null", False),
    ],
)
def test_an_origin_is_compared_without_the_default_ports(origin: str, host: str, same: bool) -> None:
    assert same_site(origin, host) is same


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("A.example:80", "a.example"),
        ("a.example.:80", "a.example"),
        ("[::1]:1", "::1"),
        ("user@a.example", None),
        ("a/b", None),
        ("", None),
    ],
)
def test_the_name_is_parsed_from_a_host_header(host: str, name: str | None) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize("name", ["Origin", "Sec-Fetch-Site"])
def test_a_second_header_does_not_hide_another_site(live: Any, poster: bytes, name: str) -> None:
    own, other = (live.url, "http://evil.example") if name == "Origin" else ("same-origin", "cross-site")
    for values in ((own, other), (other, own)):
        problem(live.predict(poster, headers=[(name, value) for value in values]), 403)


@pytest.mark.parametrize(
    ("request_line", "hosts", "status"),
    [
        ("GET /healthz HTTP/1.1", ["{own}", "evil.example"], 400),
        ("GET /healthz HTTP/1.1", ["evil.example", "{own}"], 400),
        ("GET /healthz HTTP/1.1", [], 400),
        ("GET /healthz HTTP/1.0", [], 421),
        ("GET http://{own}/healthz HTTP/1.1", ["evil.example"], 421),
        ("GET http://evil.example/healthz HTTP/1.1", ["{own}"], 404),
        ("CONNECT evil.example:443 HTTP/1.1", ["evil.example:443"], 421),
        ("GET /healthz HTTP/1.1", ["{own}"], 200),
    ],
)
def test_no_form_of_a_request_gets_past_the_host_check(
    live: Any, request_line: str, hosts: list[str], status: int
) -> None:
    own = f"127.0.0.1:{live.port}"
    lines = [request_line, *(f"Host: {host}" for host in hosts), "Connection: close", "", ""]
    with socket.create_connection(("127.0.0.1", live.port), timeout=10) as connection:
        connection.sendall("\r\n".join(lines).format(own=own).encode())
        answer = connection.makefile("rb").readline()
    assert int(answer.split()[1]) == status
