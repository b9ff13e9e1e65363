"""The built documentation, page by page: links, anchors, pictures, titles; in a browser, errors and narrow screens.

``make docs`` builds it and runs these tests; they are skipped where LEAF_SKLEARN_SITE does not say which site to read.
"""

import functools
import html
import json
import os
import re
import shutil
import subprocess
import threading
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from helpers import ROOT, public_modules

import leaf_sklearn

SITE = Path(os.environ.get("LEAF_SKLEARN_SITE", ROOT / "docs" / "_build" / "html")).absolute()
PHONE = 390  # CSS pixels across
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = pytest.mark.skipif(
    "LEAF_SKLEARN_SITE" not in os.environ, reason="LEAF_SKLEARN_SITE names no built documentation: run `make docs`"
)


@dataclass
class Page(HTMLParser):
    """What a page holds, read without a browser."""

    name: str
    links: list = field(default_factory=list)  # (tag, address)
    anchors: set = field(default_factory=set)
    images: list = field(default_factory=list)
    title: str = ""
    viewport: str = ""
    language: str = ""

    def __post_init__(self):
        super().__init__()
        self._in_title = False
        self.feed((SITE / self.name).read_text())

    def __hash__(self):
        return hash(self.name)

    def handle_starttag(self, tag, pairs):
        attributes = dict(pairs)
        self.anchors |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        for name in ("href", "src"):
            if attributes.get(name):
                self.links.append((tag, attributes[name]))
        if tag == "img":
            self.images.append(attributes)
        if tag == "meta" and attributes.get("name") == "viewport":
            self.viewport = attributes["content"]
        if tag == "html":
            self.language = attributes.get("lang", "")
        self._in_title = tag == "title" and not self.title

    def handle_data(self, data):
        if self._in_title:
            self.title += data
            self._in_title = False

    def inner(self):
        """(tag, page or file, fragment) of every link that stays in the site."""
        for tag, address in self.links:
            parts = urlsplit(address)
            if not parts.scheme and not parts.netloc:
                path = urljoin(self.name, unquote(parts.path)) if parts.path else self.name
                yield tag, path, unquote(parts.fragment)

    def outer(self):
        """(tag, address) of the others."""
        return [(tag, address) for tag, address in self.links if urlsplit(address).scheme or address.startswith("//")]


@functools.cache
def pages():
    names = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
    # the theme's own templates are no pages
    return {name: Page(name) for name in names if not name.startswith(("_static/", "_modules/"))}


def test_there_are_the_pages_that_a_reader_looks_for():
    wanted = ["index", "why", "quick_start", "user_guide/index", "add_a_filterbank", "benchmarks", "api", "changelog"]
    wanted += ["auto_examples/index", "generated/leaf_sklearn.LeafTransformer", "search"]
    assert [name for name in wanted if f"{name}.html" not in pages()] == []


def test_every_public_name_has_a_page():
    public = [f"leaf_sklearn.{name}" for name in leaf_sklearn.__all__ if name != "__version__"]
    for module in public_modules():
        full_name = f"leaf_sklearn.{module}"
        public += [f"{full_name}.{name}" for name in __import__(full_name, fromlist=["__all__"]).__all__]
    # tables are described where they are used
    tables = {"leaf_sklearn.frontends.PRESETS", "leaf_sklearn.encoders.ENCODERS"}
    missing = [name for name in public if f"generated/{name}.html" not in pages()]
    assert set(missing) == tables


def test_links_and_anchors_lead_somewhere():
    broken = []
    for page in pages().values():
        for tag, path, fragment in page.inner():
            target = path + "index.html" if path.endswith("/") or not path else path
            if not (SITE / target).is_file():
                broken.append((page.name, tag, path))
            elif fragment and not fragment.startswith(":~:") and target in pages():
                if fragment not in pages()[target].anchors:
                    broken.append((page.name, tag, f"{path}#{fragment}"))
    assert broken == []


def test_every_page_is_reached_from_the_first():
    seen, waiting = {"index.html"}, ["index.html"]
    while waiting:
        for tag, path, _ in pages()[waiting.pop()].inner():
            if tag == "a" and path in pages() and path not in seen:
                seen.add(path)
                waiting.append(path)
    alone = {"search.html", "genindex.html", "py-modindex.html"}
    assert set(pages()) - seen - alone == set()


def test_pages_need_no_network():
    """Scripts, styles and pictures come with the site; only links in the text lead elsewhere."""
    asked = [(page.name, *each) for page in pages().values() for each in page.outer() if each[0] != "a"]
    assert [each for each in asked if not each[2].startswith("data:")] == []
    styles = [path for path in SITE.rglob("*.css") if re.search(r"(url\(|@import )['\"]?https?:", path.read_text())]
    assert styles == []
    insecure = {address for page in pages().values() for tag, address in page.outer() if address.startswith("http:")}
    assert insecure == set()


def test_pages_have_titles_languages_and_alternative_texts():
    for page in pages().values():
        assert "leaf-sklearn" in page.title and len(page.title.split(" — ")[0].strip()) > 2, page.name
        assert page.language == "en" and "width=device-width" in page.viewport, page.name
        for image in page.images:
            # a thumbnail stands beside its title
            assert image.get("alt") or "_thumb." in image["src"], (page.name, image["src"])
    assert len({page.title for page in pages().values()}) == len(pages())


def test_pictures_are_pictures():
    for page in pages().values():
        for image in page.images:
            path = urljoin(page.name, image["src"])
            if not image["src"].startswith("data:"):
                content = (SITE / path).read_bytes()
                assert len(content) > 500 and content.startswith((b"\x89PNG", b"<svg", b"<?xml")), (page.name, path)


CHECKER = """<!DOCTYPE html><title>check</title><pre id="found"></pre><script>
const names = NAMES, found = [];
async function check(name) {
  const frame = document.createElement("iframe");
  frame.width = WIDTH; frame.height = 800;
  await new Promise(done => { frame.onload = done; frame.src = "/" + name; document.body.append(frame); });
  const root = frame.contentDocument.documentElement;
  const size = parseFloat(frame.contentWindow.getComputedStyle(frame.contentDocument.body).fontSize);
  const blank = [...frame.contentDocument.images].filter(image => image.complete && !image.naturalWidth).length;
  const errors = frame.contentWindow.errors;
  found.push({name, width: root.scrollWidth, size, blank, height: root.scrollHeight, errors});
  frame.remove();
}
(async () => { for (const name of names) await check(name);
  document.getElementById("found").textContent = JSON.stringify(found); document.title = "done"; })();
</script>"""


LISTENER = """<head><script>
window.errors = [];
window.addEventListener("error", event => errors.push(String(event.message || event.target.outerHTML)), true);
window.addEventListener("unhandledrejection", event => errors.push(String(event.reason)));
for (const name of ["error"]) {
  const told = console[name]; console[name] = (...words) => { errors.push(words.join(" ")); told(...words); };
}
</script>"""


class Handler(SimpleHTTPRequestHandler):
    """Serves the site, with a script in each page's head that remembers errors."""

    missing: ClassVar[list] = []

    def do_GET(self):
        name = urlsplit(self.path).path.removeprefix("/")
        if name == "check":
            text = CHECKER.replace("NAMES", json.dumps(list(pages()))).replace("WIDTH", str(PHONE))
        elif name in pages():
            text = (SITE / name).read_text().replace("<head>", LISTENER, 1)
        else:
            if not (SITE / unquote(name)).is_file() and name != "favicon.ico":
                self.missing.append(name)
            super().do_GET()
            return
        content = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def visit(tmp_path_factory):
    """Open every page in one headless browser, in frames as wide as a phone."""
    if BROWSER is None:
        pytest.skip("no Chromium found: the pages are not opened in a browser")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=SITE))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    profile = tmp_path_factory.mktemp("profile")
    address = f"http://127.0.0.1:{server.server_port}/check"
    options = ["--timeout=120000", "--virtual-time-budget=600000", "--dump-dom"]
    try:
        done = subprocess.run(
            [BROWSER, *FLAGS, f"--user-data-dir={profile}", *options, address],
            capture_output=True,
            text=True,
            timeout=600,
            env={name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found and found[1], f"the browser opened not every page: {done.stderr[-2000:]}"
    return json.loads(html.unescape(found[1]))


def test_no_page_is_wider_than_a_phone(visit):
    assert [each["name"] for each in visit] == list(pages())
    assert [(each["name"], each["width"]) for each in visit if each["width"] > PHONE] == []
    assert all(each["size"] >= 14 and each["height"] > 100 for each in visit)


def test_the_browser_finds_no_error(visit):
    assert [(each["name"], each["errors"]) for each in visit if each["errors"]] == []
    assert [each["name"] for each in visit if each["blank"]] == []
    assert Handler.missing == []
