"""The site in a real browser: the checklist that ticks itself, and every page as people use it."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

import course
from course import ROOT
from course.files import copy_tree, files_of
from course.outline import address_of_page
from course.processes import free_port
from tests.browser import BEFORE, Tool, Visit, catch_up, checkout, needs, use_step, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(os.name == "nt", reason="drives a terminal of POSIX"),
]

# The tests' own step, and one that is finished by then.
STEP, EARLIER = map(course.step, ("asgi", "notifications-app"))
PAGE = address_of_page(STEP, *STEP.parts[:1])
WORDS = ".checklist-words"
FAILED = "li[data-status=failed]"
FOUND = f"{FAILED} .checklist-found"
BADGE = ".progress-badge"
MOST_BYTES = 1_000_000
DESKTOP = {"width": 1280, "height": 720}  # Playwright's own
# Sums up whatever moves without somebody having clicked.
SHIFTS = """
window.moved = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (!entry.hadRecentInput) {
      const what = entry.sources.map((source) => source.node && source.node.nodeName);
      window.moved.push([entry.value, ...what]);
    }
  }
}).observe({ type: "layout-shift", buffered: true });
"""
# A busy browser: it hears what came in one go, and draws nothing in between. The tool tells the
# end of a run twice.
IN_ONE_GO = """
window.WebSocket = class extends WebSocket {
  addEventListener(kind, hear) {
    const held = [];
    let timer;
    super.addEventListener(kind, (event) => {
      held.push(event);
      clearTimeout(timer);
      timer = setTimeout(() => held.splice(0).forEach(hear), 300);
    });
  }
};
"""


def before_step(copy: Path) -> None:
    """Undo STEP in the workspace."""
    use_step(copy, BEFORE.slug)


def says(seen: Visit, pattern: str) -> None:
    """Wait until the panel says something."""
    seen.page.wait_for_function(
        "([words, pattern]) => new RegExp(pattern).test("
        "document.querySelector(words)?.textContent || '')",
        arg=[WORDS, pattern],
    )


def judged(seen: Visit, address: str, pattern: str) -> list[str]:
    """Open a page of the tool, have its step judged, and wait until the panel says something.

    Returns how each item stood at that moment.
    """
    seen.page.goto(address)
    seen.page.click(".checklist-ask:enabled")
    return settled(seen, f"{pattern}.*Checked at each save")


def settled(seen: Visit, pattern: str) -> list[str]:
    """Wait until no check runs and the panel says something; how each item stands then."""
    found = seen.page.wait_for_function(
        """([words, pattern]) => {
          const said = document.querySelector(words)?.textContent || "";
          if (!new RegExp(pattern).test(said)) return null;
          return [...document.querySelectorAll(".checklist-mark")].map((mark) => mark.innerText);
        }""",
        arg=[WORDS, pattern],
    )
    return found.json_value()


# The checklist


def badge_says(seen: Visit, pattern: str) -> None:
    """Wait for it: the badge says "checking" if the last save has set off one more check."""
    seen.page.wait_for_function(
        "([badge, words]) => new RegExp(words).test(document.querySelector(badge).innerText)",
        arg=[BADGE, pattern],
    )


def test_checklist_ticks_after_a_save(
    copy: Path, tool: Tool, visits: Callable[..., Visit]
) -> None:
    """A failure with its message, hint and place; after the save all is ticked. Nothing moves."""
    before_step(copy)
    seen = visits(viewport={"width": 1200, "height": 1800})
    seen.page.add_init_script(SHIFTS)
    marks = judged(seen, tool.address + PAGE, r"\d+ failed")

    assert marks.count("failed") >= 1
    assert {"passed", "failed", "blocked"} >= set(marks)
    assert seen.text(f"{FOUND} dd[data-says=found]")
    assert seen.page.is_visible(f"{FAILED} details.hints[open] li")
    assert "backend/" in seen.text(f"{FOUND} dd[data-says='look at']")
    link = seen.page.get_attribute(f"{FOUND} dd a", "href")
    assert link == f"vscode://file{copy}/workspace/" + link.partition("/workspace/")[2]
    badge_says(seen, r"^\d+ of \d+: first failure")
    seen.page.click(f"{BADGE} a")
    assert seen.page.evaluate("location.hash").startswith("#item-")

    use_step(copy, STEP.slug)
    assert set(settled(seen, r"^(\d+) of \1 passed")) == {"passed"}
    boxes = seen.page.query_selector_all("ol.checklist input")
    assert all(box.is_checked() for box in boxes)
    seen.page.click("ol.checklist input >> nth=0")
    assert boxes[0].is_checked(), "what the checks ticked cannot be ticked off by hand"
    assert seen.page.evaluate("window.moved") == []
    assert seen.complaints == []


def test_exchange_is_drawn(copy: Path, tool: Tool, visits: Callable[..., Visit]) -> None:
    """What went over the wire: open at the first failure and marked there, folded where an
    item passed. What a project sends is text, and nothing moves or becomes too wide."""
    use_step(copy, STEP.slug)
    consumers = copy / "workspace/backend/notifications/consumers.py"
    good = consumers.read_text("utf-8")
    greeting = '"type": "connection_established"'
    assert good.count(greeting) == 1
    consumers.write_text(good.replace(greeting, '"type": "<img src=x onerror=alert(1)>"'))
    seen = visits(viewport={"width": 1200, "height": 1800})
    seen.page.add_init_script(SHIFTS + IN_ONE_GO)
    judged(seen, tool.address + PAGE, r"\d+ failed")
    drawn = f"{FOUND} details.exchange[open] .exchange-messages"

    assert (
        seen.page.eval_on_selector_all("details.exchange[open]", "all => all.length") == 1
    )
    lines = seen.page.eval_on_selector_all(
        f"{drawn} > li", "all => all.map(li => li.innerText)"
    )
    [mark] = [n for n, text in enumerate(lines) if "left the expected path" in text]
    assert "GET /ws/notifications/" in lines[0] and "client to server:" in lines[0]
    assert "eyJhbG..." in lines[0]
    assert "101 Switching Protocols" in lines[1]
    assert "<img src=x onerror=alert(1)>" in "".join(lines[:mark])
    assert "expected" in lines[mark] and "connection_established" in lines[mark]
    assert "eyJhbG..." in "".join(lines)
    assert not re.search(r"eyJ\w{20}", seen.page.content())
    assert seen.page.query_selector("article img[src=x]") is None

    consumers.write_text(good, "utf-8")
    assert set(settled(seen, r"^(\d+) of \1 passed")) == {"passed"}
    assert seen.page.query_selector("details.exchange[open]") is None
    assert seen.page.evaluate("window.moved") == []
    summary = "li[data-item='asgi.greets'] > details.exchange > summary"
    assert re.fullmatch(r"On the wire: \d+ messages", seen.text(summary))
    seen.page.set_viewport_size({"width": 360, "height": 740})
    seen.page.focus(summary)
    seen.page.keyboard.press("Enter")
    assert "connection_established" in seen.text(
        "li[data-item='asgi.greets'] .exchange-messages"
    )
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert seen.complaints == []


def test_progress_is_in_view(copy: Path, tool: Tool, visits: Callable[..., Visit]) -> None:
    """The front page leads on to the step; what is finished has its tick, and nothing else."""
    use_step(copy, STEP.slug)
    seen = visits()
    judged(seen, tool.address + PAGE, r"^(\d+) of \1 passed")
    following = course.step(STEP.number + 1)
    badge_says(seen, r"^(\d+) of \1\. Next: ")
    ticked = "a[data-finished]"
    assert seen.page.locator(f".md-nav--primary {ticked}[href='./']").count() == 1
    assert (
        seen.page.locator(f".md-footer {ticked}, .md-nav--secondary {ticked}").count() == 0
    )

    seen.page.goto(tool.address)
    seen.page.wait_for_selector(BADGE)
    assert seen.text(BADGE).startswith(f"Continue with step {following.number}")
    assert seen.text(f".steps-table [data-step='{STEP.number}']") == "all"
    assert seen.page.get_attribute(f"{BADGE} a", "href") == f"/steps/{following.slug}/"


def test_check_now_and_the_terminal_agree(
    copy: Path, tool: Tool, visits: Callable[..., Visit]
) -> None:
    """The button, by keyboard alone, checks the step of the page; the terminal shows it too."""
    seen = visits()
    seen.page.goto(tool.address + address_of_page(EARLIER, *EARLIER.parts[:1]))
    says(seen, f"The tool watches step {STEP.number}|Checked at each save")
    seen.page.focus(".checklist-ask")
    seen.page.keyboard.press("Enter")
    says(seen, "Checking")
    says(seen, "passed")
    tool.wait_for(rf"Step {EARLIER.number}, {EARLIER.title}: checking")
    seen.page.goto(tool.address + PAGE)
    says(seen, f"watches step {EARLIER.number}")
    seen.page.click(".checklist-ask")
    says(seen, "Checked at each save")


@pytest.mark.usefixtures("tool")
def test_it_says_when_it_is_not_connected(
    copy: Path, tmp_path: Path, visits: Callable[..., Visit]
) -> None:
    """The tool ends: the page says so. It is started again: the page is back by itself."""
    root = checkout(tmp_path / "tutorial", built=copy)
    catch_up(root, BEFORE.number)
    # As after an earlier start; a port that no test beside this one looks for.
    (root / ".tutorial" / "port").write_text(f"{free_port()}\n", "utf-8")
    seen = visits()
    with Tool(root) as first:
        address = first.ready()
        seen.page.goto(address + PAGE)
        before = settled(seen, "failed")
        first.stop()
        assert settled(seen, "Not connected") == before
        assert seen.page.is_disabled(".checklist-ask")
    with Tool(root) as second:
        assert second.ready() == address
        says(seen, "Checking|passed")


def test_checklist_without_the_tool(plain: str, visits: Callable[..., Visit]) -> None:
    """A plain checklist: by keyboard, remembered after a reload, without a try to connect."""
    seen = visits()
    sockets: list[str] = []
    seen.page.on("websocket", lambda opened: sockets.append(opened.url))
    seen.page.goto(plain + PAGE)
    seen.page.focus("ol.checklist input >> nth=1")
    seen.page.keyboard.press("Space")
    seen.page.reload()

    ticked = [
        box.is_checked() for box in seen.page.query_selector_all("ol.checklist input")
    ]
    assert ticked[:3] == [False, True, False]
    assert "Your ticks stay in this browser" in seen.text(WORDS)
    assert sockets == []
    assert seen.complaints == []


def test_checklist_from_a_file(
    tool: Tool, copy: Path, visits: Callable[..., Visit]
) -> None:
    """Opened from the disk, the page is complete."""
    seen = visits()
    seen.page.goto((copy / ".tutorial" / "site" / PAGE / "index.html").as_uri())

    assert "Your ticks stay in this browser" in seen.text(WORDS)
    seen.page.check("ol.checklist input >> nth=0")


# Every page


def pages(address: str, root: Path) -> list[str]:
    """The addresses of all built pages."""
    folder = root / ".tutorial" / "site"
    found = sorted(path.parent.relative_to(folder) for path in folder.rglob("index.html"))
    return [address + ("" if path == Path() else f"{path.as_posix()}/") for path in found]


# Material's names of the two themes.
THEMES = {"default": "light", "slate": "dark"}
SWITCH = "document.querySelector(\"label[title^='Switch to']:not([hidden])\").click()"
# Colours fade: until none is on its way.
FADED = """() => Promise.allSettled(document.getAnimations()
  .filter((each) => each instanceof CSSTransition).map((each) => each.finished))"""


# Axe needs most of its time for contrast: the words of the code alone are tens of thousands. So
# only the colours of what no page before had are looked at: text in a place of a new kind, and
# a kind is what style sheets go by. Boxes are unfolded first, so that all of it is seen. Code
# without anything new becomes one text: each word costs the other rules time as well.
MARK_WHAT_IS_NEW = """(known) => {
  const before = new Set(known);
  for (const box of document.querySelectorAll("details")) box.open = true;
  for (const each of document.querySelectorAll("body *")) {
    const says = [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!says || !each.checkVisibility()) continue;
    let kind = "";
    for (let at = each; at; at = at.parentElement) {
      kind += `${at.tagName} ${at.getAttribute("class")} ${at.getAttribute("style")} < `;
    }
    each.toggleAttribute("data-new", !before.has(kind));
    before.add(kind);
  }
  for (const code of document.querySelectorAll(".highlight code")) {
    if (!code.querySelector("[data-new]")) code.textContent = code.textContent;
  }
  return [...before];
}"""
# Axe's rules on colours.
COLOURS = ["color-contrast", "link-in-text-block"]
ONLY_COLOURS = {"runOnly": COLOURS}
ALL_BUT_COLOURS = {"rules": {name: {"enabled": False} for name in COLOURS}}


# Pages are given another index of the search, as text.
SEARCH_INSTEAD = """
const index = %s;
const open = XMLHttpRequest.prototype.open;
XMLHttpRequest.prototype.open = function (method, address, ...more) {
  const is_index = `${address}`.endsWith("/search_index.json");
  open.call(this, method, is_index ? `data:application/json,${index}` : address, ...more);
};"""


@dataclass
class Findings:
    """What is wrong with the pages, each place with the address of its page."""

    broken: dict[str, list[str]]
    out_of_sight: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def findings(browser: Browser, plain: str, copy: Path) -> Findings:
    """Every page, visited once: to load it takes longer than to look at it.

    The search is under test elsewhere, and would read all pages anew on each of them.
    """
    seen = visit(browser, color_scheme="light")
    index = (copy / ".tutorial/site/search/search_index.json").read_text("utf-8")
    nothing = json.dumps(json.loads(index) | {"docs": []})
    seen.context.add_init_script(SEARCH_INSTEAD % json.dumps(nothing))
    axe = needs("axe_playwright_python.sync_playwright").Axe()
    found = Findings({theme: [] for theme in THEMES.values()})
    kinds: list[str] = []
    for address in pages(plain, copy):
        seen.page.goto(address)
        path = urlsplit(address).path
        kinds = seen.page.evaluate(MARK_WHAT_IS_NEW, kinds)
        seen.page.evaluate(axe.axe_script)
        broken = list(broken_now(seen.page, "html", ALL_BUT_COLOURS))
        for theme, what in broken + list(broken_colours(seen.page)):
            found.broken[theme].append(f"{path}: {what}")
        found.out_of_sight += [f"{path} {what}" for what in out_of_sight(seen.page)]
    seen.context.close()
    found.complaints, found.outside = seen.complaints, seen.outside
    return found


def broken_colours(page: Page) -> Iterator[tuple[str, str]]:
    """What axe finds serious in the colours of what is new on a page, in both themes.

    A switch is remembered: the next page begins with the theme that this one ends with.
    """
    if not page.query_selector("[data-new]"):
        return
    yield from broken_now(page, "[data-new]", ONLY_COLOURS)
    scheme = page.get_attribute("body", "data-md-color-scheme")
    page.evaluate(SWITCH)
    page.wait_for_selector(f"body:not([data-md-color-scheme={scheme}])")
    page.evaluate(FADED)
    yield from broken_now(page, "[data-new]", ONLY_COLOURS)


def broken_now(page: Page, part: str, chosen: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What axe finds serious in a part of the page, with the theme that it has; `chosen` are
    axe's options for its rules."""
    theme = THEMES[page.get_attribute("body", "data-md-color-scheme") or ""]
    options = {"resultTypes": ["violations"], "preload": False} | chosen
    run = "([part, options]) => axe.run(part, options)"
    for rule in page.evaluate(run, [part, options])["violations"]:
        if rule["impact"] in {"serious", "critical"}:
            yield theme, f"{rule['id']} {[node['target'] for node in rule['nodes']][:3]}"


# What hides a part of itself is told by its first words.
CUT_OFF = """([selector, longest]) => {
  return [...document.querySelectorAll(selector)]
    .filter((each) => each.getClientRects().length)
    .filter((each) => each.textContent.split("\\n").every((line) => line.length < longest))
    .filter((each) => {
      const frame = each.closest(".md-typeset__scrollwrap") || each;
      return each.scrollWidth > each.clientWidth || frame.scrollWidth > frame.clientWidth;
    })
    .map((each) => each.textContent.trim().slice(0, 60));
}"""


# Which elements of a page have to be seen whole, at which width, in which medium; and how long
# their lines may be for that. Paper of A4 is 794 pixels wide, and a browser leaves about 48 at
# each side.
ANY_LENGTH = 10_000
SIGHTS = [
    (1024, "screen", "article table", ANY_LENGTH),
    (1440, "screen", "article table", ANY_LENGTH),
    (698, "print", "article table", ANY_LENGTH),
    (1280, "screen", ".highlight:is(.terminal, .seen) pre > code", ANY_LENGTH),
    (1280, "screen", "article pre > code", 90),
    (360, "screen", "article table", ANY_LENGTH),
]


def out_of_sight(page: Page) -> Iterator[str]:
    """What is cut off on a page, and whether it scrolls sideways at the last of SIGHTS."""
    for width, media, selector, longest in SIGHTS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(media=media)
        for text in page.evaluate(CUT_OFF, [selector, longest]):
            yield f"at {width}: {text}"
    if page.evaluate("document.documentElement.scrollWidth") > 360:
        yield "scrolls sideways"
    page.set_viewport_size(DESKTOP)


@pytest.mark.parametrize("theme", THEMES.values())
def test_theme_is_that_of_the_system(
    theme: str, plain: str, visits: Callable[..., Visit]
) -> None:
    """Until somebody switches it."""
    page = visits(color_scheme=theme).page
    page.goto(plain)

    assert THEMES[page.get_attribute("body", "data-md-color-scheme") or ""] == theme


@pytest.mark.parametrize("theme", THEMES.values())
def test_no_page_is_out_of_reach(theme: str, findings: Findings) -> None:
    """axe finds nothing serious on any page; no page complains or loads from elsewhere."""
    assert findings.broken[theme] == []
    assert findings.complaints == []
    assert findings.outside == []


def test_nothing_is_out_of_sight(findings: Findings) -> None:
    """No cell, no line of an output and no code of usual length is cut off, on a phone, a large
    screen or paper; and at 360 pixels no page scrolls sideways."""
    assert findings.out_of_sight == []


def test_live_checklist_is_in_reach(
    copy: Path, tool: Tool, visits: Callable[..., Visit]
) -> None:
    """The same with what the tool adds to a page, in both themes."""
    axe = needs("axe_playwright_python.sync_playwright").Axe()
    before_step(copy)
    found = []
    for scheme in ("light", "dark"):
        seen = visits(color_scheme=scheme)
        judged(seen, tool.address + PAGE, r"\d+ failed")
        broken = axe.run(seen.page, context=".checklist-box").response["violations"]
        found += [(scheme, each["id"], each["nodes"][0]["html"]) for each in broken]

    assert found == []


# How the element that has the focus is marked; an invisible box is marked at its label.
OUTLINE = """() => {
  let on = document.activeElement;
  if (on.matches("input") && getComputedStyle(on).opacity === "0") on = on.nextElementSibling ?? on;
  const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(on);
  const drawn = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  const clear = !outlineColor.endsWith(", 0)");
  return [on.tagName + "." + on.className, drawn && clear];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_focus_is_seen(scheme: str, plain: str, visits: Callable[..., Visit]) -> None:
    """Wherever Tab leads, an outline shows it: links, boxes to tick, buttons, choices."""
    seen = visits(color_scheme=scheme, viewport={"width": 1280, "height": 2000})
    unseen, kinds = set(), set()
    for path, start in (
        ("", "body"),
        (PAGE, "ol.checklist input"),
        ("diff/", ".compare select"),
    ):
        seen.page.goto(plain + path)
        seen.page.wait_for_selector(start)
        seen.page.evaluate("document.querySelector('article').scrollIntoView()")
        if start != "body":
            seen.page.focus(start)
        for _ in range(40):
            seen.page.keyboard.press("Tab")
            name, drawn = seen.page.evaluate(OUTLINE)
            kinds.add(name.partition(".")[0])
            if not drawn and not name.startswith("BODY"):
                unseen.add(f"{path}: {name}")

    assert unseen == set()
    assert {"A", "INPUT", "SELECT", "SUMMARY"} <= kinds


@pytest.mark.parametrize("path", ["", PAGE])
def test_weight(path: str, tool: Tool, visits: Callable[..., Visit]) -> None:
    """The first visit of a page takes less than a megabyte."""
    seen = visits(bypass_csp=False)
    counter = seen.context.new_cdp_session(seen.page)
    counter.send("Network.enable")
    sizes: list[float] = []
    counter.on(
        "Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"])
    )
    seen.page.goto(tool.address + path, wait_until="load")
    seen.page.wait_for_timeout(500)

    print(f"{path or 'front page'}: {sum(sizes) / 1000:.0f} kB in {len(sizes)} requests")
    assert 0 < sum(sizes) < MOST_BYTES
    assert seen.complaints == [], "the pages keep to their own policy"


def test_dark_mode_is_kept(plain: str, visits: Callable[..., Visit]) -> None:
    """The switch turns it dark, and the next page is dark too."""
    seen = visits(color_scheme="light")
    seen.page.goto(plain)
    assert seen.page.get_attribute("body", "data-md-color-scheme") == "default"
    seen.page.click("label[title='Switch to dark mode']")
    seen.page.wait_for_selector("body[data-md-color-scheme=slate]")
    seen.page.goto(plain + PAGE)

    assert seen.page.get_attribute("body", "data-md-color-scheme") == "slate"


def test_any_two_steps_are_compared(
    plain: str, visits: Callable[..., Visit], tmp_path: Path
) -> None:
    """What the page draws of a pair turns the one step into the other; nothing complains.

    The neighbours, and each step with the first and the last: what is drawn of the others is
    made of the same pieces, and there are as many as the square of the steps.
    """
    seen = visits()
    steps = course.steps()
    pairs = {*itertools.pairwise(steps)}
    pairs |= {(steps[0], step) for step in steps[1:]} | {(s, steps[-1]) for s in steps[:-1]}
    for a, b in sorted(pairs, key=lambda pair: [step.number for step in pair]):
        seen.page.goto(f"{plain}diff/#{a.number}-{b.number}")
        seen.page.wait_for_selector(f".drawn p:has-text('diff {a.number} {b.number}')")
        shown = seen.page.eval_on_selector_all(
            ".drawn pre code", "blocks => blocks.map((block) => block.textContent).join('')"
        )
        project = tmp_path / f"{a.number}-{b.number}"
        copy_tree(a.folder, project)
        subprocess.run(
            ["git", "apply", "-"],
            input=shown.encode(),
            cwd=project,
            check=True,
            env=os.environ | {"GIT_CEILING_DIRECTORIES": str(tmp_path)},
        )
        for path in set(files_of(b.folder)) - {"README.md"}:
            wanted = (b.folder / path).read_bytes()
            assert not wanted or (project / path).read_bytes() == wanted, path

    assert seen.complaints == []


def test_compared_steps_are_chosen_and_linked(
    plain: str, visits: Callable[..., Visit]
) -> None:
    """By two lists, side by side or not, and by an address that may name a file."""
    seen = visits()
    path, pair = "backend/numeneon/settings.py", f"{BEFORE.number}-{STEP.number}"
    seen.page.goto(f"{plain}diff/?view=side#1-2/{path}")
    seen.page.wait_for_selector(".drawn .side")
    assert seen.page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert path in seen.page.evaluate("document.activeElement.textContent")

    seen.page.focus("select[name=from]")
    seen.page.select_option("select[name=from]", f"{BEFORE.number}")
    seen.page.wait_for_selector(f".drawn p:has-text('diff {BEFORE.number} {STEP.number}')")

    assert seen.page.evaluate("location.hash") == f"#{pair}"
    assert seen.page.evaluate("document.activeElement.name") == "from"
    assert "asgi.py" in seen.text(".drawn .tree")
    seen.page.check("input[name=view] >> nth=0")
    assert seen.page.query_selector(".drawn .side") is None
    assert "view=" not in seen.page.url
    seen.page.click(f".way a[href='#{STEP.number}-{STEP.number + 1}']")
    seen.page.wait_for_selector(
        f".drawn p:has-text('diff {STEP.number} {STEP.number + 1}')"
    )


def test_compared_steps_on_a_phone(plain: str, visits: Callable[..., Visit]) -> None:
    """There is no room for two columns: an address that asks for them gets one."""
    seen = visits(viewport={"width": 360, "height": 740})
    seen.page.goto(f"{plain}diff/?view=side#1-2")
    seen.page.wait_for_selector(".drawn details.file .highlight")

    assert not seen.page.is_visible(".compare .view")
    assert not seen.page.is_visible(".compare .side")
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_differences_without_scripts(plain: str, visits: Callable[..., Visit]) -> None:
    """The neighbours' are there, folded, each at its own address."""
    seen = visits(java_script_enabled=False)
    pair = f"{BEFORE.number}-{STEP.number}"
    seen.page.goto(f"{plain}diff/#{pair}")

    assert seen.page.locator("details.pair").count() == len(course.steps()) - 1
    seen.page.locator(f"[id='{pair}'] > summary").click()
    changes = seen.page.locator(f"[id='{pair}'] pre").all_inner_texts()
    assert any("WebsocketDenier" in change for change in changes)


def test_search_by_keyboard(plain: str, visits: Callable[..., Visit]) -> None:
    """`/`, a word, Enter: the page about it."""
    seen = visits()
    seen.page.goto(plain)
    seen.page.keyboard.press("/")
    seen.page.keyboard.type("4401", delay=30)
    seen.page.wait_for_selector(".md-search-result__item a")
    seen.page.keyboard.press("ArrowDown")
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_url(lambda address: urlsplit(address).path != "/")

    assert "4401" in seen.text("article")


# Whether the first page that the search finds is the one for failures, and on it the entry.
FIRST = """(anchor) => {
  const links = [...document.querySelectorAll(".md-search-result__item a")].slice(0, 2);
  const found = links.map((link) => new URL(link.href));
  return found[0]?.pathname.endsWith("/fix/") && found.some((at) => at.hash === `#${anchor}`);
}"""


def test_messages_lead_to_their_entries(plain: str, visits: Callable[..., Visit]) -> None:
    """A message pasted into the search as it was printed: its own entry comes first."""
    from playwright.sync_api import TimeoutError as TookTooLong

    page = (ROOT / "docs" / "fix" / "index.md").read_text("utf-8")
    entries = re.findall(r"^### (.*?) \{ #([\w-]+) \}$", page, re.MULTILINE)[::3]
    seen = visits()
    seen.page.goto(plain)
    seen.page.keyboard.press("/")
    seen.page.keyboard.type("4401", delay=30)  # until there is something to search in
    seen.page.wait_for_selector(".md-search-result__item a")
    missed = []
    for message, anchor in entries:
        seen.page.fill(".md-search__input", message.replace("`", ""))
        seen.page.press(".md-search__input", "End")
        try:
            seen.page.wait_for_function(FIRST, arg=anchor, timeout=10_000)
        except TookTooLong:
            first = ".md-search-result__item a >> nth=0"
            missed.append((message, seen.page.get_attribute(first, "href")))

    assert missed == []
    assert len(entries) >= 20


def test_copied_code_is_the_file(plain: str, visits: Callable[..., Visit]) -> None:
    """Each block under a file's name, copied with its button, stands in that file."""
    seen = visits(permissions=["clipboard-read", "clipboard-write"])
    seen.page.goto(plain + PAGE)
    blocks = seen.page.query_selector_all("p.place + .highlight")
    assert blocks
    for block in blocks:
        path = block.evaluate("block => block.previousElementSibling.innerText").split()[0]
        block.scroll_into_view_if_needed()
        block.hover()
        button = block.wait_for_selector("[data-clipboard-target], [data-md-type=copy]")
        button.click()
        copied = seen.page.evaluate("navigator.clipboard.readText()")
        text = (STEP.folder / path).read_text("utf-8")
        assert copied.strip()
        assert copied.rstrip("\n") in text


def test_everything_by_keyboard(plain: str, visits: Callable[..., Visit]) -> None:
    """Tab reaches the hints, Enter opens them one at a time, and the focus is always visible."""
    seen = visits()
    seen.page.goto(plain + PAGE)
    seen.page.focus("ol.checklist input >> nth=0")
    seen.page.keyboard.press("Tab")
    focused = "document.activeElement"
    assert seen.page.evaluate(f"{focused}.tagName") == "SUMMARY"
    outline = f"getComputedStyle({focused}).outlineStyle"
    assert seen.page.evaluate(outline) != "none"
    seen.page.keyboard.press("Enter")

    hints = "ol.checklist details[open] li"
    assert [hint.is_visible() for hint in seen.page.query_selector_all(hints)] == [
        *(True, False, False)
    ]
    for given in (2, 3):
        seen.page.focus("ol.checklist details[open] .checklist-next")
        seen.page.keyboard.press("Enter")
        visible = [hint.is_visible() for hint in seen.page.query_selector_all(hints)]
        assert visible.count(True) == given
    assert not seen.page.is_visible("ol.checklist details[open] .checklist-next")


def test_printed_page(tool: Tool, visits: Callable[..., Visit]) -> None:
    """On paper there are the sentences and boxes, not the tool's panel."""
    seen = visits()
    seen.page.goto(tool.address + PAGE)
    seen.page.wait_for_selector(".checklist-panel")
    seen.page.emulate_media(media="print")

    for hidden in (".checklist-panel", BADGE, ".md-code__nav", "details.hints"):
        assert not seen.page.is_visible(hidden)
    assert seen.page.is_visible("ol.checklist label")


def test_nothing_names_another_host(tool: Tool, copy: Path) -> None:
    """No script, style, font or picture of any page is loaded from elsewhere."""
    loads = re.compile(
        r"<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^\"'\s>]+"
        r"|<link\b[^>]*\brel=[\"']?(?:stylesheet|preconnect|icon|preload)\b[^>]*"
        r"\bhref=[\"']?(?:https?:)?//[^\"'\s>]+"
    )
    folder = copy / ".tutorial" / "site"
    found = [
        f"{path.relative_to(folder)}: {match[:120]}"
        for path in folder.rglob("*.html")
        for match in loads.findall(path.read_text("utf-8"))
    ]

    assert found == []
