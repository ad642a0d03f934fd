"""The files of poster_genre/web/deployment, run with nginx and Caddy where those are installed."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

import poster_genre.web
from tests.poster_genre.web.chromium import DONE, opener
from tests.poster_genre.web.problem_document import problem

FOLDER = Path(poster_genre.web.__file__).parent / "deployment"
SITES = {
    "nginx.conf": ("nginx", ""),
    "nginx-subpath.conf": ("nginx", "/posters"),
    "Caddyfile, own name": ("caddy", ""),
    "Caddyfile, below a path": ("caddy", "/posters"),
}
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
{site} }}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def configuration(site: str, port: int, upstream: int, folder: Path) -> list[str]:
    """The command that runs the site's file, without TLS and on other ports."""
    program, below = SITES[site]
    text = (FOLDER / site.partition(",")[0]).read_text().replace("127.0.0.1:8000", f"127.0.0.1:{upstream}")
    if program == "nginx":
        text = re.sub(r"ssl_certificate\S* .*;", "", text).replace(
            "listen 443 ssl", f"listen 127.0.0.1:{port}"
        )
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, site=text))
        return ["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", str(folder / "error.log")]
    name = "www.example.org" if below else "posters.example.org"
    text = text.replace(f"\n{name} {{", f"\nhttp://127.0.0.1:{port} {{")
    text = re.sub(r"\n(posters|www)\.example\.org \{", f"\nhttp://127.0.0.1:{free_port()} {{", text)
    (folder / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@contextmanager
def proxied(site: str, upstream: int, folder: Path) -> Iterator[str]:
    """A proxy in front of a server on the port ``upstream``; its address with the path of the pages."""
    program, below = SITES[site]
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    port = free_port()
    with subprocess.Popen(
        configuration(site, port, upstream, folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            end = time.monotonic() + 20
            while process.poll() is None and time.monotonic() < end:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            assert process.poll() is None, f"{program} does not take its configuration"
            yield f"http://127.0.0.1:{port}{below}"
        finally:
            process.terminate()


@pytest.mark.parametrize("site", SITES)
def test_pages_files_and_predictions_come_through_the_proxy(
    live: Any, tmp_path: Path, poster: bytes, site: str
) -> None:
    with proxied(site, live.port, tmp_path) as address, httpx.Client(timeout=30) as client:
        for path in ("/", "/inside", "/static/app.css", "/healthz", "/api/v1/model"):
            assert client.get(address + path).status_code == 200
        own = {"Origin": re.match(r"http://[^/]+", address)[0], "Sec-Fetch-Site": "same-origin"}  # type: ignore[index]
        answer = client.post(f"{address}/api/v1/predict", files={"image": poster}, headers=own)
        assert answer.status_code == 200
        problem(client.post(f"{address}/api/v1/predict", headers={"Origin": "https://evil.example"}), 403)
        redirected = client.get(f"{address}/inside/")
        assert (redirected.status_code, str(redirected.next_request and redirected.next_request.url)) == (
            307,
            f"{address}/inside",
        )


@pytest.mark.parametrize("site", [site for site, (_, below) in SITES.items() if below])
def test_the_start_page_below_a_path_is_found_without_its_slash(live: Any, tmp_path: Path, site: str) -> None:
    with proxied(site, live.port, tmp_path) as address:
        assert httpx.get(address, follow_redirects=True).url.path == "/posters/"


@pytest.mark.parametrize("site", [site for site, (_, below) in SITES.items() if below])
def test_a_browser_predicts_and_looks_inside_below_a_path(
    browser: Any, live: Any, tmp_path: Path, poster: bytes, site: str
) -> None:
    with (
        proxied(site, live.port, tmp_path) as address,
        opener(browser, SimpleNamespace(url=address)) as open_page,
    ):
        page = open_page("/")
        page.set_input_files("#file", [{"name": "a.jpg", "mimeType": "image/jpeg", "buffer": poster}])
        page.wait_for_selector(DONE)
        page.click("text=Look inside")
        page.wait_for_url(f"{address}/inside")
        page.wait_for_selector('#trace[data-state="shown"]', state="attached")


def test_the_unit_stops_the_server_later_than_the_server_stops_itself() -> None:
    from poster_genre.web.limits import Limits

    unit = (FOLDER / "poster-genre.service").read_text()
    assert int(re.search(r"TimeoutStopSec=(\d+)", unit)[1]) > Limits().shutdown_seconds  # type: ignore[index]


def test_the_proxies_take_an_upload_of_the_servers_size() -> None:
    from poster_genre.web.limits import Limits

    for name, pattern in (("nginx.conf", r"client_max_body_size (\d+)m"), ("Caddyfile", r"max_size (\d+)MB")):
        for size in re.findall(pattern, (FOLDER / name).read_text()):
            assert int(size) * 10**6 > Limits().body
