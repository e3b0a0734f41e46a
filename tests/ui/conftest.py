"""A headless Chromium, and pages of recordings to look at in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from recordings import Recorded
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webdriver import WebDriver

Show = Callable[..., WebDriver]
PICTURES = Path(__file__).parents[2] / ".tmp" / "ui"


@pytest.fixture(scope="session")
def chromium() -> Iterator[WebDriver]:
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--disable-dev-shm-usage", "--no-first-run"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.binary_location = "/usr/bin/chromium"
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium: WebDriver, request: pytest.FixtureRequest) -> Iterator[WebDriver]:
    """The browser, with a picture of what it showed at the end; the page had no error."""
    set_screen(chromium)
    yield chromium
    PICTURES.mkdir(parents=True, exist_ok=True)
    chromium.save_screenshot(str(PICTURES / f"{request.node.name.replace('/', '-')}.png"))
    errors = [entry["message"] for entry in chromium.get_log("browser")]
    chromium.get("about:blank")
    expected = request.node.get_closest_marker("console")
    assert [text for text in errors if expected is None or expected.args[0] not in text] == []


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "console(text): what the page may complain of")


@pytest.fixture
def show(browser: WebDriver, tmp_path: Path) -> Show:
    """Open the page of a recording as a file."""

    def show(recorded: Recorded, **screen: Any) -> WebDriver:
        set_screen(browser, **screen)
        page = tmp_path / "index.html"
        page.write_text(recorded.page, encoding="utf-8")
        browser.get(page.as_uri())
        return browser

    return show


def set_screen(
    browser: WebDriver, *, width: int = 1400, height: int = 900, scheme: str = "light"
) -> None:
    browser.execute_cdp_cmd(  # type: ignore[attr-defined]
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )
    browser.execute_cdp_cmd(  # type: ignore[attr-defined]
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
