"""The page of ``spner serve`` in a real Chromium; skipped where Playwright or a Chromium is not installed."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from spner.archive.index import index_recordings
from spner.archive.rows import add_recordings
from spner.archive.store import open_archive, transaction
from tests.archive.served import Served, start
from tests.archive.talks import source, talk
from tests.tag.models import RATE_HZ, make_tagger, pause, speak

pytest.importorskip("fastapi", reason="needs the extra serve")
playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium"),
]
PLACE = "(({readyState, seeking, currentTime}) => [readyState, seeking, currentTime])(document.querySelector('audio'))"
HTML_NAME = "<img src=x onerror=alert(1)>.flac"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of two recordings; names are spoken 20 and 40 s after the beginning of the first."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "in").mkdir()
    parts = [speak("de vis zwemt"), pause(20), speak("<PER> ada kok </NE> praat"), pause(20), speak("<LOC> gent </NE>")]
    soundfile.write(folder / "in/a.wav", np.concatenate(parts), RATE_HZ, subtype="PCM_16")
    soundfile.write(folder / "in" / HTML_NAME, speak("<PER> bob </NE> slaapt"), RATE_HZ)
    with open_archive(folder / "archive.sqlite", create=True) as archive:
        index_recordings(archive, [folder / "in"], make_tagger)
    one = start(folder / "archive.sqlite")
    yield one
    one.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    with playwright.sync_playwright() as driver:
        one = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield one
        one.close()


@pytest.fixture
def page(browser: Any, served: Served) -> Iterator[Any]:
    """The first view; nothing may be complained about, the content security policy included."""
    context = browser.new_context()
    one = context.new_page()
    complaints: list[str] = []
    one.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    one.on("pageerror", lambda error: complaints.append(str(error)))
    one.on("dialog", lambda dialog: complaints.append(dialog.message))
    one.add_init_script("HTMLMediaElement.prototype.play = () => Promise.resolve()")  # it stands where it was sent
    one.goto(f"http://127.0.0.1:{served.port}/")
    one.wait_for_selector("h1")
    yield one
    context.close()
    assert complaints == []


def place(page: Any) -> float:
    """Return where the player stands, in seconds, when it has come there."""
    for _ in range(100):
        ready, seeking, time_s = page.evaluate(PLACE)
        if ready and not seeking:
            return float(time_s)
        page.wait_for_timeout(50)
    raise AssertionError("the player has not come there")


def started(page: Any, served: Served, name: str) -> float:
    """Return when a word is spoken."""
    hits = served.get(f"/v1/search?q={name}").json()["hits"]
    return float(hits[0]["start_s"])  # type: ignore[index]


def test_a_search_leads_to_the_second(page: Any, served: Served) -> None:
    page.fill("#words", "kok")
    page.press("#words", "Enter")
    page.click(".hits a")
    page.wait_for_selector("#text .now")
    assert place(page) == pytest.approx(started(page, served, "kok"), abs=0.2)
    assert page.inner_text("#text .now") == "kok" and page.inner_text("#text button.name").startswith("ada kok")


def test_a_name_is_heard_by_a_click(page: Any, served: Served) -> None:
    page.click("section:has-text('LOC') a")
    page.click(".hits a")
    page.wait_for_selector("aside button")
    page.evaluate("document.querySelector('audio').currentTime = 0")
    page.click("aside li:has-text('gent') button")
    begin_s = started(page, served, "gent")
    assert begin_s > 40 and place(page) == pytest.approx(begin_s, abs=0.2)
    page.click("#text button.name:has-text('ada')")
    assert place(page) == pytest.approx(started(page, served, "ada"), abs=0.2)


def test_misspelt_names_are_told(page: Any) -> None:
    page.fill("#words", "adakok")
    page.press("#words", "Enter")
    page.wait_for_selector("h2:has-text('Names that are nearly this')")
    page.fill("#words", "xyzzy")
    page.press("#words", "Enter")
    page.wait_for_selector("h1:has-text('Nothing found: xyzzy')")


def test_an_upload_is_tagged_and_shown(page: Any, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "<b>new.wav", speak("<PER> eva </NE> zingt"), RATE_HZ)
    page.set_input_files("#file", tmp_path / "<b>new.wav")
    page.click("#progress a:has-text('<b>new.wav')")
    page.wait_for_selector("#text button.name:has-text('eva')")
    (tmp_path / "broken.mp3").write_bytes(b"no sound")
    page.set_input_files("#file", tmp_path / "broken.mp3")
    page.wait_for_selector("#progress:has-text('not tagged: broken.mp3: is no recording')")


def test_names_of_files_are_text(page: Any) -> None:
    page.click(f"a:has-text('{HTML_NAME}')")
    page.wait_for_selector("#text button.name:has-text('bob')")
    assert page.inner_text("h1") == HTML_NAME and page.query_selector("main img") is None


def test_everything_is_reached_by_keyboard(page: Any, served: Served) -> None:
    def tab_to(selector: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate(f"document.activeElement.matches({selector!r})"):
                return
        raise AssertionError(selector)

    tab_to("#words")
    page.keyboard.type("zwemt")
    page.keyboard.press("Enter")
    page.wait_for_selector(".hits")
    tab_to(".hits a")
    page.keyboard.press("Enter")
    page.wait_for_selector("#text")
    tab_to("#text button.name")
    page.keyboard.press("Enter")
    assert place(page) == pytest.approx(started(page, served, "ada"), abs=0.2)
    tab_to("aside button")


@pytest.mark.parametrize("view", ["#/", "#/search?q=kok", "#/recording/1"])
def test_a_phones_width_is_enough(page: Any, view: str) -> None:
    page.set_viewport_size({"width": 375, "height": 700})
    page.evaluate(f"location.hash = {view!r}")
    page.wait_for_selector("h1")
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    page.wait_for_selector("#words:visible")


def test_what_is_left_out_is_told(browser: Any, tmp_path: Path) -> None:
    with open_archive(tmp_path / "archive.sqlite", create=True) as archive, transaction(archive):
        add_recordings(archive, [(source(f"{i}.wav"), talk(f"<PER> Ada{i} </NE>")) for i in range(101)])
    served = start(tmp_path / "archive.sqlite", tags=False)
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{served.port}/")
    page.wait_for_selector("h2:has-text('PER 101 mentions, the 100 most frequent names')")
    page.wait_for_selector("h2:has-text('Recordings the newest 100 of 101')")
    assert page.query_selector("a:text-is('0.wav')") is None
    page.click("a:has-text('More')")
    page.wait_for_selector("a:text-is('0.wav')")
    assert page.query_selector("a:has-text('More')") is None
    page.close()
    served.stop()


def test_light_and_dark(page: Any) -> None:
    def brightness(part: str) -> float:
        colour = page.evaluate(f"getComputedStyle(document.body).{part}")
        return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / (3 * 255)

    page.emulate_media(color_scheme="light")
    assert brightness("backgroundColor") > 0.9 and brightness("color") < 0.3
    page.emulate_media(color_scheme="dark")
    assert brightness("backgroundColor") < 0.2 and brightness("color") > 0.7
