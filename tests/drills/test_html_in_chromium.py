"""The HTML report in a real browser: every chart is drawn, nothing is fetched, nothing hostile runs.

Needs Debian's `chromium` and `chromium-driver`; elsewhere these tests skip.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from failover.report.html import html_report
from tests.drills.journals import OUTAGE, Journal, scenario
from tests.drills.pictures import BAND, HOSTILE, failing, passing, pictured

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
OFFLINE = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE_S = 20.0

pytestmark = [
    pytest.mark.skipif(
        not (CHROMIUM.exists() and DRIVER.exists()),
        reason="Debian's chromium and chromium-driver are not here",
    ),
    pytest.mark.xdist_group("chromium"),
]


def streamed() -> Any:
    """A streamed drill, with an oracle that was asked."""
    journal = Journal().prices("gpt")
    for _ in range(30):
        journal.call().asks("gpt").streams(after_s=0.5).answers(tokens=(10, 10)).ends("gpt")
    return pictured(journal.at(100.0), scenario(name="streamed"), oracle=((0.0, 5, 0.25), (50.0, 5, 0.25)))


def hostile() -> Any:
    """A drill in which every name would like to be markup."""
    drill = pictured(
        Journal().served(HOSTILE, times=5), scenario(OUTAGE, expect={"success_ratio_min": 1.0}), BAND
    )
    verdict = replace(drill.verdict, scenario=HOSTILE, reasons=(HOSTILE,), reproduce=HOSTILE)
    band = replace(BAND, kind=HOSTILE, selector=HOSTILE, hits=(HOSTILE,))
    lines = failing().timeline
    kept = tuple(replace(each, target=HOSTILE) for each in lines.absences)
    failed = tuple(replace(line, name=HOSTILE) for line in lines.targets)
    timeline = replace(lines, bands=(band,), absences=kept, targets=failed)
    return replace(drill, verdict=verdict, timeline=timeline, title=HOSTILE)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser for the tests of this file, with a profile of its own."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for word in OFFLINE:
        options.add_argument(word)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield running
    running.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The addresses of the pages that are looked at."""
    folder = tmp_path_factory.mktemp("pages")
    made = {
        "three": html_report([passing(), failing(), streamed()]),
        "hostile": html_report([hostile()]),
        "many": html_report([passing()] * 50),
    }
    for name, source in made.items():
        (folder / f"{name}.html").write_text(source, "utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in made}


def opened(browser: Any, address: str, width: int) -> Any:
    """The page in a window of so many pixels."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get("about:blank")
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(address)
    return browser


def until(browser: Any, script: str) -> None:
    """Wait for the browser, which works beside us."""
    for _ in range(int(PATIENCE_S / 0.05)):
        if browser.execute_script(f"return {script}"):
            return
        time.sleep(0.05)
    pytest.fail(f"the browser never came to: {script}")


LOOK_AT_ALL = """
const done = arguments[arguments.length - 1];
(async () => {
  for (const picture of document.querySelectorAll(".picture")) {
    picture.scrollIntoView({behavior: "instant", block: "center"});
    while (!picture.querySelector(".trace")) { await new Promise((next) => setTimeout(next, 10)); }
  }
  done(document.querySelectorAll(".picture").length);
})();
"""


def scrolled_through(browser: Any) -> int:
    """Look at every chart, each of which is drawn when it comes into view; how many there are."""
    browser.set_script_timeout(PATIENCE_S)
    return int(browser.execute_async_script(LOOK_AT_ALL))


def fetched(browser: Any) -> set[str]:
    """The addresses that were asked for since the page was opened, the browser's own left out."""
    told = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    asked = (
        each["params"]["request"]["url"] for each in told if each["method"] == "Network.requestWillBeSent"
    )
    return {url for url in asked if not url.startswith(("chrome", "data:", "about:"))}


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize(("name", "charts"), [("three", 18), ("hostile", 6)])
def test_a_page_draws_every_chart_and_fetches_nothing(browser, pages, name, charts, width):
    opened(browser, pages[name], width)
    assert scrolled_through(browser) == charts
    overflow = browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0, "the page is wider than its window"
    right = (
        "Math.max(...[...document.querySelectorAll('.main-svg')].map(e => e.getBoundingClientRect().right))"
    )
    assert browser.execute_script(f"return {right}") <= width
    assert browser.get_log("browser") == []
    assert fetched(browser) == {pages[name]}


def test_hostile_names_are_shown_as_text_and_run_nothing(browser, pages):
    opened(browser, pages["hostile"], 1280)
    scrolled_through(browser)
    heading = browser.execute_script("return document.querySelector('section h2').textContent")
    assert heading.endswith(HOSTILE)
    labels = browser.execute_script(
        "return [...document.querySelectorAll('.picture text')].map(e => e.textContent)"
    )
    assert sum(HOSTILE in label for label in labels) > 2
    assert (
        browser.execute_script("return document.querySelectorAll('img, .picture a, .picture b').length") == 0
    )
    assert browser.execute_script("return document.querySelectorAll('script:not([type])').length") == 2


def test_a_page_of_fifty_drills_draws_only_what_is_seen(browser, pages):
    opened(browser, pages["many"], 1280)
    until(browser, "document.readyState === 'complete'")
    drawn = browser.execute_script("return document.querySelectorAll('.js-plotly-plot').length")
    assert drawn < 12
    assert browser.execute_script("return document.querySelectorAll('.picture').length") == 300


def test_printing_draws_every_chart_to_the_width_of_the_paper(browser, pages):
    opened(browser, pages["three"], 1280)
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert base64.b64decode(printed["data"]).startswith(b"%PDF-")
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    until(browser, "[...document.querySelectorAll('.picture')].every(e => e.querySelector('.trace'))")
    widths = (
        "[...document.querySelectorAll('.picture .svg-container')].map(e => e.getBoundingClientRect().width)"
    )
    until(browser, f"{widths}.every(width => width === 660)")
    assert browser.execute_script("return [...document.querySelectorAll('details')].every(e => e.open)")
    browser.execute_script("window.dispatchEvent(new Event('afterprint'))")
    assert browser.get_log("browser") == []


def test_the_command_is_copied_with_one_click(browser, pages):
    opened(browser, pages["three"], 1280)
    browser.execute_script("document.querySelector('button.copy').click()")
    until(browser, "/^(copied|selected)/.test(document.querySelector('button.copy').textContent)")
