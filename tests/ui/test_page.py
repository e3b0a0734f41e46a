"""The page of a recording in a browser: what it shows, keys, colours, size; that it is inert."""

from __future__ import annotations

import time
from typing import Any

import pytest
from recordings import EVIL
from recordings import call
from recordings import recorded
from recordings import service
from recordings import task
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.wait import WebDriverWait

Show = Any


def texts(browser: WebDriver, selector: str) -> list[str]:
    """Of all at one moment: rows are made anew at any time."""
    script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.innerText)"
    return browser.execute_script(script, selector)


def attributes(browser: WebDriver, selector: str, name: str) -> list[str]:
    script = (
        "return [...document.querySelectorAll(arguments[0])]"
        ".map((each) => each.getAttribute(arguments[1]))"
    )
    return browser.execute_script(script, selector, name)


def click(browser: WebDriver, selector: str) -> None:
    waiting = WebDriverWait(browser, 5, 0.05, [StaleElementReferenceException])
    waiting.until(lambda _: browser.find_element(By.CSS_SELECTOR, selector).click() or True)


def details(browser: WebDriver) -> str:
    return browser.find_element(By.ID, "details").text


def press(browser: WebDriver, *keys: str) -> None:
    ActionChains(browser).send_keys(*keys).perform()


def focus_rows(browser: WebDriver) -> None:
    browser.execute_script("document.getElementById('rows').focus()")


def current(browser: WebDriver) -> str:
    """What a screen reader is told to be in."""
    return browser.execute_script(
        "const rows = document.activeElement;"
        "const row = document.getElementById(rows.getAttribute('aria-activedescendant'));"
        "return row && row.getAttribute('aria-selected') === 'true' && row.ariaLabel;"
    )


def test_what_happened_is_there(show: Show) -> None:
    browser = show(
        recorded(
            [task(0), task(1, exit_code=3), task(2, exit_code=None)],
            services=(service(),),
            calls=[call(0, "RunTask"), call(5, "DescribeServices", "ClusterNotFoundException")],
        )
    )
    assert browser.title == "tests/test_a.py::test_it - pytest-kecs"
    assert browser.find_element(By.ID, "outcome").text == "failed"
    assert "3 tasks · 1 service · 2 calls" in browser.find_element(By.ID, "facts").text
    labels = attributes(browser, ".row", "aria-label")
    assert labels[0] == "2 API calls, 1 with an error. Enter lists them."
    assert labels[1].startswith("service shop, ACTIVE, desired 2, CANARY deployment SUCCESSFUL")
    assert labels[2].startswith("task 00000000 of worker:1, exit 0")
    assert labels[3] == "container app, exit 0"
    assert labels[5].startswith("task 00000001 of worker:1, exit 3")
    assert labels[8].startswith("task 00000002 of worker:1, running")
    # The only task that failed is the one that is shown; what was merely stopped has not failed.
    assert "Task worker:1" in details(browser)
    assert "+60 ms app said this" in details(browser)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".row.container .bad")) == 1
    heights = browser.execute_script(
        "return [...document.querySelectorAll('.fills i')].map((each) => each.style.height)"
    )
    assert heights == ["0%", "10%", "100%"]
    # The clock's 300 s are no part of the axis.
    assert "clock +5 min" in browser.find_element(By.ID, "axis").text


def test_each_life_of_a_container_has_a_bar(show: Show) -> None:
    restarted = task(0)
    recording = recorded([restarted])
    begin = restarted["created"]
    recording.recording["entries"] += [
        {"at": begin + at, "kind": "task", "subject": restarted["arn"], "text": f"container {text}"}
        for at, text in [
            (0.05, "app RUNNING"),
            (0.1, "side RUNNING"),
            (0.15, "app exited with 1, to be restarted"),
            (0.2, "app RUNNING"),
            (0.25, "app exited with 0, to be restarted"),
            (0.3, "app RUNNING"),
            (0.5, "app STOPPED, exit code 0"),
        ]
    ]
    browser = show(recording)
    bars = attributes(browser, ".row.container .bar", "class")
    assert bars == ["bar failed", "bar done", "bar done", "bar done"]
    widths = browser.execute_script(
        "return [...document.querySelectorAll('.row.container .bar')]"
        ".map((each) => parseFloat(each.style.width))"
    )
    assert [round(width / widths[1]) for width in widths] == [2, 1, 4, 9]


def test_nothing_is_loaded_and_nothing_runs(show: Show) -> None:
    evil = task(0, exit_code=1)
    evil["stoppedReason"] = evil["containers"][0]["reason"] = EVIL
    evil["containers"][0]["name"] = "app"
    browser = show(
        recorded([evil], log=EVIL, calls=[call(0, "RunTask", EVIL)], nodeid=f"test_a.py::{EVIL}")
    )
    assert EVIL in details(browser)
    focus_rows(browser)
    press(browser, Keys.HOME, Keys.ENTER, Keys.ARROW_DOWN)
    assert browser.execute_script("return window.hit") is None
    assert browser.execute_script("return document.querySelectorAll('img, iframe').length") == 0
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0


@pytest.mark.console("Content Security Policy")
def test_what_got_in_would_not_run_either(show: Show) -> None:
    browser = show(recorded([task(0)]))
    browser.execute_script(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hit = 1\">');"
        "const script = document.createElement('script');"
        "script.append('window.hit = 2'); document.body.append(script);"
    )
    asked = browser.execute_async_script(
        "const done = arguments[0];"
        "fetch('http://127.0.0.1:1/').then(() => done('yes'), (error) => done(String(error)))"
    )
    assert "Failed to fetch" in asked
    assert browser.execute_script("return window.hit") is None
    messages = [entry["message"] for entry in browser.get_log("browser")]
    refused = [text for text in messages if "Content Security Policy" in text]
    assert any("connect" in text for text in refused)
    assert any("script" in text for text in refused)


def test_keys_lead_everywhere(show: Show) -> None:
    browser = show(recorded([task(n, exit_code=n % 2) for n in range(4)], services=(service(),)))
    focus_rows(browser)
    press(browser, Keys.HOME)
    assert "API calls" in current(browser)
    press(browser, Keys.ARROW_DOWN)
    assert current(browser).startswith("service shop")
    assert "Service shop" in details(browser)
    press(browser, Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert current(browser).startswith("container app")
    press(browser, Keys.ARROW_LEFT)
    assert current(browser).startswith("task 00000000")
    count = len(browser.find_elements(By.CSS_SELECTOR, ".row"))
    press(browser, Keys.ARROW_LEFT)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".row")) == count - 2
    press(browser, Keys.ARROW_RIGHT, Keys.END)
    assert current(browser).startswith("container side")
    before = texts(browser, "#axis span")
    press(browser, "+", "+")
    zoomed = texts(browser, "#axis span")
    assert zoomed != before
    ActionChains(browser).key_down(Keys.SHIFT).send_keys(Keys.ARROW_RIGHT).key_up(
        Keys.SHIFT
    ).perform()
    assert texts(browser, "#axis span") != zoomed
    press(browser, "0")
    assert texts(browser, "#axis span") == before
    press(browser, "?")
    assert browser.find_element(By.ID, "help").is_displayed()
    press(browser, "/", "00000001")
    labels = texts(browser, ".row.task small")
    assert labels == ["00000001"]
    press(browser, Keys.ESCAPE)
    assert browser.switch_to.active_element.get_attribute("id") == "rows"


def test_calls_and_changes_are_listed(show: Show) -> None:
    calls = [call(n) for n in range(300)] + [call(50, "RunTask", "ClientException")]
    browser = show(recorded([task(0)], calls=calls))
    focus_rows(browser)
    press(browser, Keys.HOME, Keys.ENTER)
    assert browser.find_element(By.ID, "entries").is_displayed()
    assert len(browser.find_elements(By.CSS_SELECTOR, ".entry")) < 60
    browser.find_element(By.ID, "failed").click()
    assert len(browser.find_elements(By.CSS_SELECTOR, ".entry")) == 1
    click(browser, ".entry")
    assert "ClientException: no such thing" in details(browser)
    assert '"cluster": "default"' in details(browser)
    assert '"__type": "ClientException"' in details(browser)
    browser.find_element(By.ID, "tab-events").send_keys(Keys.ARROW_LEFT)
    assert browser.find_element(By.ID, "rows").is_displayed()


def test_a_thousand_tasks_are_quick(show: Show) -> None:
    tasks = [task(n, exit_code=int(n % 100 == 7)) for n in range(1000)]
    calls = [call(n // 4) for n in range(4000)]
    recording = recorded(tasks, calls=calls)
    recording.page  # noqa: B018  # what is read from files once
    began = time.monotonic()
    browser = show(recording)
    ready = browser.execute_script(
        "const [entry] = performance.getEntriesByType('navigation'); return entry.loadEventEnd"
    )
    assert ready < 3000
    assert time.monotonic() - began < 10
    assert len(browser.find_elements(By.CSS_SELECTOR, ".row")) < 80
    slowest = browser.execute_async_script(
        """
        const done = arguments[0];
        const rows = document.getElementById("rows");
        let slowest = 0, step = 0;
        const turn = () => {
          const began = performance.now();
          rows.scrollTop = (step * rows.scrollHeight) / 30;
          rows.dispatchEvent(new Event("scroll"));
          rows.getBoundingClientRect();
          slowest = Math.max(slowest, performance.now() - began);
          step += 1;
          if (step > 30) done(slowest); else requestAnimationFrame(turn);
        };
        turn();
        """
    )
    assert slowest < 150
    assert "000003e7" in texts(browser, ".row.task small")
    took = browser.execute_script(
        "const began = performance.now(); document.getElementById('failed').click();"
        "document.getElementById('rows').getBoundingClientRect();"
        "return performance.now() - began"
    )
    assert took < 500
    assert len(browser.find_elements(By.CSS_SELECTOR, ".row.task")) == 10
    assert "Tasks that failed (10)" in details(browser)


NAMED = frozenset(
    {"button", "tab", "searchbox", "textbox", "checkbox", "tree", "treeitem", "option", "listbox"}
)


def test_everything_has_a_name(show: Show) -> None:
    browser = show(recorded([task(0), task(1, exit_code=1)], services=(service(),)))
    nodes = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    found: dict[str, list[str]] = {}
    for node in nodes:
        role = node.get("role", {}).get("value")
        if role in NAMED and not node.get("ignored"):
            found.setdefault(role, []).append(node.get("name", {}).get("value", ""))
    assert {"button", "tab", "searchbox", "checkbox", "tree", "treeitem"} <= found.keys()
    for role, names in found.items():
        assert all(name.strip() for name in names), role
    levels = [
        attributes(browser, "[role=treeitem]", f"aria-{name}")
        for name in ("level", "posinset", "setsize")
    ]
    levels = list(zip(*levels, strict=True))
    assert levels[2:5] == [("1", "3", "4"), ("2", "1", "2"), ("2", "2", "2")]


CONTRAST = """
const parse = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
const light = (color) => {
  const [r, g, b] = parse(color).map((part) => part / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (node) => {
  for (let each = node; each; each = each.parentElement) {
    const color = getComputedStyle(each).backgroundColor;
    if (!color.endsWith(", 0)")) return color;
  }
  return "rgb(255, 255, 255)";
};
return arguments[0].flatMap((selector) => [...document.querySelectorAll(selector)].map((node) => {
  const [a, b] = [light(getComputedStyle(node).color), light(ground(node))].sort((x, y) => y - x);
  return [selector, (a + 0.05) / (b + 0.05)];
}));
"""
TEXTS = [
    "h1", "#facts", "#outcome", "[role=tab]", ".label b", ".label small", ".label .bad", ".end",
    "#axis span", "#legend span", "#details td", "#details th", "pre .when", "pre .of",
    "pre .stderr", "pre .stdout", ".bar.done em", ".bar.running em", ".bar.failed em",
]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1400, 900), (380, 760)])
def test_it_can_be_read(show: Show, scheme: str, width: int, height: int) -> None:
    browser = show(
        recorded([task(0), task(1, exit_code=3), task(2, exit_code=None)], services=(service(),)),
        scheme=scheme,
        width=width,
        height=height,
    )
    ratios = browser.execute_script(CONTRAST, TEXTS)
    assert {selector for selector, _ in ratios} == set(TEXTS)
    assert [(selector, round(ratio, 2)) for selector, ratio in ratios if ratio < 4.5] == []
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    ground = browser.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")
    assert (ground == "rgba(255, 255, 255, 1)") == (scheme == "light")
    for identifier in ("rows", "details", "search", "keys"):
        box = browser.find_element(By.ID, identifier).rect
        assert box["width"] > 40
        assert box["height"] > 20
        assert 0 <= box["x"] <= width - box["width"] + 1
        assert 0 <= box["y"] <= height - box["height"] + 1


@pytest.mark.parametrize("tasks", [0, 1])
def test_little_is_shown_well(show: Show, tasks: int) -> None:
    browser = show(recorded([task(n) for n in range(tasks)]))
    WebDriverWait(browser, 5).until(lambda _: "Overview" in details(browser))
    assert "No task failed, and no call had an error." in details(browser)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".row.task")) == tasks
