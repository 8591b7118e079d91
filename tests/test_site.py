"""The built site: strict, whole, without a request to anybody else, by both generators."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest

import course
from checks.items import items_of
from tests.needs import interpreter_with, needs

ROOT = course.ROOT
# For a step: each brings its lines to the page once, those of tests packed.
MOST_BYTES_OF_DIFFERENCES = 40_000
STEPS = course.steps()
# What a page loads by itself, as opposed to what a reader may follow.
LOADS = {
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "image": "href",
    "img": "src",
    "input": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "track": "src",
    "use": "href",
    "video": "src",
}
# The theme's own scripts name these, for features that this site does not use: diagrams in
# Mermaid, a link to the source with its stars, and browsers without ResizeObserver.
UNUSED = re.compile(
    r"unpkg\.com/(mermaid|resize-observer)|api\.github\.com|/api/v4/projects/"
)
ADDRESS = re.compile(r"https?://[\w.$-]+/?[^\s\"'`)<>\\]*")


DESCRIBED = re.compile(r'---\n(?:.*\n)*?description: "(.*)"\n')
# What mkdocs.yml names beside docs/: our own page for wrong addresses.
THEME = Path("tools", "site", "theme")


class Document(HTMLParser):
    """What a page holds that one can link to, follow or load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.repeated: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Called for each opening tag."""
        values = {name: value or "" for name, value in attributes}
        for name in {values.get("id"), values.get("name") if tag == "a" else None} - {
            None,
            "",
        }:
            if name in self.anchors:
                self.repeated.append(str(name))
            self.anchors.add(str(name))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        # canonical, next and the like are names of pages: nothing is loaded
        loads = tag != "link" or bool(
            {"stylesheet", "icon", "preload", "preconnect", "manifest", "modulepreload"}
            & set(values.get("rel", "").split())
        )
        if loads and values.get(LOADS.get(tag, "")):
            self.loads.append(values[LOADS[tag]])
        self.loads += re.findall(
            r"(\S+)(?:\s+[\d.]+[wx])?(?:,|$)", values.get("srcset", "")
        )
        self.loads += styled(values.get("style", ""))


def styled(text: str) -> list[str]:
    """The addresses that a style sheet loads."""
    found = re.findall(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""", text)
    return [one or other for one, other in found]


def copy_of_sources(target: Path) -> Path:
    """The documents and their configuration, so that a test builds nothing in the checkout."""
    shutil.copytree(ROOT / "docs", target / "docs")
    shutil.copyfile(ROOT / "mkdocs.yml", target / "mkdocs.yml")
    shutil.copytree(ROOT / THEME, target / THEME)
    return target


def small_sources(target: Path, *pages: str, text: str = "Text.") -> Path:
    """The configuration with a few small pages, for what does not depend on ours."""
    for page in pages:
        file = target / "docs" / f"{page}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# Title\n\n{text}\n", "utf-8")
    settings = (ROOT / "mkdocs.yml").read_text("utf-8")
    settings = re.sub(r"^nav:\n(?:[ #].*\n|\n)*", "", settings, flags=re.MULTILINE)
    (target / "mkdocs.yml").write_text(settings, "utf-8")
    shutil.copytree(ROOT / THEME, target / THEME)
    return target


def run_mkdocs(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the site in a folder, as strictly as it can be built."""
    return run(sys.executable, "mkdocs", folder, "--site-dir", str(folder / "site"))


def run(
    python: str, generator: str, folder: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    """Run one of the generators with this checkout's extension importable."""
    return subprocess.run(
        [python, "-m", generator, "build", "--strict", "--clean", *options],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )


# What readers have today is for every run; its successor is for the gate.
GENERATORS = ["mkdocs", pytest.param("zensical", marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as MkDocs builds it, without a warning."""
    needs("mkdocs")
    folder = copy_of_sources(tmp_path_factory.mktemp("mkdocs"))
    done = run_mkdocs(folder)
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def documents(site: Path) -> dict[Path, Document]:
    """Every page of the built site."""
    return {
        page: Document(page.read_text("utf-8")) for page in sorted(site.rglob("*.html"))
    }


def target_of(page: Path, link: str, site: Path) -> tuple[Path, str] | None:
    """The file and the anchor that a link of a page leads to; None if it leaves the site."""
    address = "http://site/" + page.relative_to(site).as_posix()
    whole, anchor = urldefrag(urljoin(address, link))
    parts = urlsplit(whole)
    if parts.scheme not in {"http", "https"} or parts.netloc != "site":
        return None
    file = site / unquote(parts.path).lstrip("/")
    return (file / "index.html" if parts.path.endswith("/") else file), unquote(anchor)


def test_build_has_no_warning(site: Path) -> None:
    """There is a page for each step; what a build costs is measured by benchmarks/site_build.py."""
    for step in STEPS:
        assert (site / "steps" / step.slug / "index.html").is_file()


def test_site_is_built_by_one_worker(site: Path) -> None:
    """Where tests run side by side, all that need it are given to the same one."""
    workers = site.parents[2].glob("popen-gw*/mkdocs[0-9]*")

    assert [folder for folder in workers if folder != site.parent] == []


def test_links_and_anchors_resolve(documents: dict[Path, Document], site: Path) -> None:
    """Every link within the site leads to a page and a place that are there."""
    broken: list[str] = []
    for page, document in documents.items():
        for link in document.links:
            target = target_of(page, link, site)
            if target is None:
                continue
            file, anchor = target
            known = documents[file].anchors if file in documents else set()
            if not file.is_file() or (anchor and anchor not in known):
                broken.append(f"{page.relative_to(site)}: {link}")

    assert broken == []


def test_descriptions_are_the_pages_own(site: Path) -> None:
    """Every page has what search engines show of it; it fits there, and no other page has it."""
    own = sorted((ROOT / "docs").rglob("*.md"))
    described = [DESCRIBED.match(page.read_text("utf-8")) for page in own]

    assert [
        page.name for page, found in zip(own, described, strict=True) if not found
    ] == []
    given = [found[1] for found in described if found]
    assert len(set(given)) == len(given)
    assert [text for text in given if not 50 <= len(text) <= 160] == []
    front = (site / "index.html").read_text("utf-8")
    assert re.search(r'<meta name="description" content="[^"]*Django REST backend', front)


@pytest.mark.parametrize("generator", GENERATORS)
def test_published_pages_know_their_addresses(
    generator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SITE_URL, each names its own; the page for wrong ones leads to what is there."""
    python = interpreter_with(generator, [os.environ.get("ZENSICAL_PYTHON")])
    monkeypatch.setenv("SITE_URL", "https://pages.example/numeneon/")
    done = run(python, generator, small_sources(tmp_path, "index", "start", "fix/index"))
    assert done.returncode == 0, done.stdout + done.stderr
    built = tmp_path / ".tutorial" / "site"
    start, missing = (
        (built / name).read_text("utf-8") for name in ("start/index.html", "404.html")
    )

    assert 'rel="canonical" href="https://pages.example/numeneon/start/"' in start
    assert 'href="/numeneon/fix/"' in missing
    assert "There is no page at this address" in missing


def test_ids_are_unique(documents: dict[Path, Document], site: Path) -> None:
    """A link to a place leads to one place."""
    repeated = {
        str(page.relative_to(site)): document.repeated
        for page, document in documents.items()
        if document.repeated
    }

    assert repeated == {}


def test_sections_that_checks_name_are_built(
    documents: dict[Path, Document], site: Path
) -> None:
    """A failed item sends its learner to a place that is there."""
    for step in STEPS:
        for item in items_of(step.number):
            page, _, anchor = item.docs.partition("#")
            assert anchor in documents[site / page / "index.html"].anchors, item.docs


def test_nothing_comes_from_elsewhere(documents: dict[Path, Document], site: Path) -> None:
    """Pages, style sheets and scripts load what is in the site, and it is there."""
    foreign: list[str] = []
    for page, document in documents.items():
        foreign += strangers(page, document.loads, site)
        inline = re.findall(
            r"<style[^>]*>(.*?)</style>", page.read_text("utf-8"), re.DOTALL
        )
        foreign += strangers(page, [one for text in inline for one in styled(text)], site)
    for sheet in site.rglob("*.css"):
        foreign += strangers(sheet, styled(sheet.read_text("utf-8")), site)

    assert foreign == []


def strangers(file: Path, addresses: list[str], site: Path) -> Iterator[str]:
    """Those of a file's addresses that are not files of the site."""
    for address in addresses:
        if address.startswith(("data:", "#")):
            continue
        target = target_of(file, address, site)
        if target is None or not target[0].exists():
            yield f"{file.relative_to(site)}: {address}"


def test_scripts_name_no_other_host(site: Path) -> None:
    """Our own scripts none at all; the theme's, only in what this site does not use."""
    named: list[str] = []
    for script in site.rglob("*.js"):
        text = re.sub(
            r"/\*.*?\*/|^\s*//.*$", "", script.read_text("utf-8"), flags=re.S | re.M
        )
        ours = (ROOT / "docs" / script.relative_to(site)).exists()
        for address in ADDRESS.findall(text):
            known = UNUSED.search(address) or is_name(address)
            if ours or not known:
                named.append(f"{script.relative_to(site)}: {address}")

    assert named == []


def is_name(address: str) -> bool:
    """Whether an address is a namespace or a note in a library's code: it is never fetched."""
    return bool(
        re.match(
            r"https?://(www\.w3\.org|clipboardjs\.com|github\.com|bit\.ly|\$)", address
        )
    )


def test_features_that_would_fetch_are_off(documents: dict[Path, Document]) -> None:
    """No page has what makes the theme fetch the libraries and counts that it names."""
    for page, document in documents.items():
        text = page.read_text("utf-8")
        assert "mermaid" not in re.findall(r'class="([^"]*)"', text), page
        assert 'data-md-component="source"' not in text, page
        assert not any("fonts.g" in address for address in document.loads), page


def test_directives_are_gone_from_the_pages(site: Path) -> None:
    """No directive is left as text, except where a page shows how to write one."""
    for page in site.rglob("*.html"):
        text = re.sub(
            r"<(pre|code)\b.*?</\1>", "", page.read_text("utf-8"), flags=re.DOTALL
        )
        assert not re.search(r"(^|>)\s*@(code|run|wrong|tests|diff|checklist)\b", text), (
            page
        )


@pytest.mark.parametrize(
    "line",
    [
        "@code step=05-asgi path=backend/numeneon/asgi.py symbol=nothing",
        "@code step=05-asgi path=render.yaml",
        "@nothing",
    ],
)
@pytest.mark.parametrize("generator", GENERATORS)
def test_reference_to_nothing_ends_the_build(
    generator: str, line: str, tmp_path: Path
) -> None:
    """With an exit status, the line, and what there is instead."""
    python = interpreter_with(generator, [os.environ.get("ZENSICAL_PYTHON")])
    done = run(python, generator, small_sources(tmp_path, "index", text=line))

    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert f"line 3: {line}: " in said
    assert "there are: " in said


def test_drawings_follow_the_theme(documents: dict[Path, Document]) -> None:
    """Every drawing holds shapes with classes that the style sheet has a colour for, and is in
    the page itself; none brings a colour, a style or an id that another one has."""
    known = set(re.findall(r"\.([a-z]+)", picture_rules()))
    for drawing in sorted((ROOT / "docs" / "assets" / "pictures").glob("*.svg")):
        text = drawing.read_text("utf-8")
        classes = {
            name for value in re.findall(r'class="([^"]*)"', text) for name in value.split()
        }
        assert classes <= known, drawing.name
        assert not re.search(r"<style|style=|(fill|stroke|color)=|#[0-9a-fA-F]{3}", text), (
            drawing.name
        )
    for page, document in documents.items():
        assert not [name for name in document.loads if "pictures/" in name], page


def picture_rules() -> str:
    """What the style sheet says of drawings."""
    sheet = (ROOT / "docs" / "assets" / "site.css").read_text("utf-8")
    return "\n".join(re.findall(r"^\.picture[^{]*", sheet, re.MULTILINE))


def test_page_of_differences_is_light(site: Path) -> None:
    """One page for all pairs of steps, and what they need of each text once."""
    page = site / "diff" / "index.html"

    assert [path.name for path in page.parent.iterdir()] == ["index.html"]
    assert page.stat().st_size < MOST_BYTES_OF_DIFFERENCES * len(course.steps())


@pytest.fixture(scope="module")
def zensical_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same sources as Zensical builds them."""
    python = interpreter_with("zensical", [os.environ.get("ZENSICAL_PYTHON")])
    folder = copy_of_sources(tmp_path_factory.mktemp("zensical"))
    done = run(python, "zensical", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / ".tutorial" / "site"


def article(page: Path) -> str:
    """The content of a page, without what the theme puts around it."""
    found = re.search(r"<article.*?</article>", page.read_text("utf-8"), re.DOTALL)
    return found[0] if found else ""


def parts(page: Path) -> dict[str, list[str]]:
    """The custom blocks of a page: what each kind says, in order."""
    text = article(page)
    return {
        "captions": re.findall(r'<p class="place">(.*?)</p>', text, re.DOTALL),
        "code": [
            re.sub(r"<[^>]*>", "", code).strip()
            for code in re.findall(
                r"<pre[^>]*>.*?<code[^>]*>(.*?)</code></pre>", text, re.DOTALL
            )
        ],
        "items": re.findall(r'<li data-item="([^"]+)"', text),
        "folded": re.findall(r'<details class="(\w+)', text),
        "wrong": re.findall(r"Wrong on purpose", text),
        "marked": re.findall(r'class="hll"', text),
        "pictures": re.findall(r'<svg[^>]*aria-label="([^"]*)"', text),
        "pairs": re.findall(
            r'<details class="pair" id="([^"]+)"|<details id="([^"]+)"', text
        ),
        "versions": re.findall(
            r'<script type="application/octet-stream">(.*?)</script>', text
        ),
        "rows": re.findall(r"<tr>", text),
    }


@pytest.mark.slow
def test_zensical_renders_the_same(site: Path, zensical_site: Path) -> None:
    """Every page, and on it every block of ours with the same content."""
    pages = {page.relative_to(site) for page in site.rglob("index.html")}

    assert {
        p.relative_to(zensical_site) for p in zensical_site.rglob("index.html")
    } == pages
    found = {page: parts(site / page) for page in pages}
    for kind in (
        "captions",
        "code",
        "items",
        "folded",
        "wrong",
        "marked",
        "pictures",
        "pairs",
        "versions",
        "rows",
    ):
        assert any(kinds[kind] for kinds in found.values()), kind
    for page in sorted(pages):
        assert parts(zensical_site / page) == found[page], page


@pytest.mark.slow
def test_zensical_loads_nothing_from_elsewhere(zensical_site: Path) -> None:
    """Its pages are as self-sufficient."""
    for page in zensical_site.rglob("*.html"):
        loads = Document(page.read_text("utf-8")).loads
        assert list(strangers(page, loads, zensical_site)) == []
