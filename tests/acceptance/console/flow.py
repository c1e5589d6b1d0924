"""What a person does on the console, the same against a test's application and against the running demo."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

KINDS = ("user-calls", "queue-calls", "ring-group-calls")
WAIT_SECONDS = 20


def drive_console(
    driver: Chrome,
    base_url: str,
    login: str,
    password: str,
    *,
    user: str = "101",
    destination: str = "+61255501234",
    place_call: bool = True,
    screenshot: Path | None = None,
    with_key: Callable[[str], Any] | None = None,
) -> dict[str, Any]:
    """Sign in, allow the address, make a key, try the four requests, revoke the key, sign out; what was seen.

    `with_key(key)` is called while the key made here lives; what it gives is under `with_key`.
    """
    seen: dict[str, Any] = {}
    sign_in(driver, base_url, login, password)
    seen["address"] = _id(driver, "seen").text
    seen["address_allowed_before"] = "not allowed yet" not in _id(driver, "networks").text
    if not seen["address_allowed_before"]:
        seen["answer_before_allowed"] = test_request(driver)
        seen["prefilled"] = driver.find_element(By.CSS_SELECTOR, "#add-network [name=network]").get_attribute("value")
        _press(driver, _id(driver, "add-ip"))
    seen["networks"] = [
        row.get_attribute("data-network") for row in driver.find_elements(By.CSS_SELECTOR, "[data-network]")
    ]
    seen["key"] = make_key(driver, "made in a browser")
    seen["with_key"] = with_key(seen["key"]) if with_key else None
    for kind in KINDS:
        seen[kind] = try_list(driver, kind)
    seen["call"] = try_call(driver, user, destination, really=place_call)
    if screenshot is not None:
        driver.save_screenshot(str(screenshot))
    seen["revoked"] = revoke_key(driver, seen["key"])
    _press(driver, _id(driver, "sign-out"))
    seen["signed_out_at"] = urlsplit(driver.current_url).path
    driver.get(base_url + "/console")
    seen["console_after_sign_out"] = urlsplit(driver.current_url).path
    return seen


def sign_in(driver: Chrome, base_url: str, login: str, password: str) -> None:
    driver.get(base_url + "/")
    driver.find_element(By.NAME, "login").send_keys(login)
    driver.find_element(By.NAME, "password").send_keys(password)
    _press(driver, driver.find_element(By.CSS_SELECTOR, "button.primary"))


def make_key(driver: Chrome, name: str) -> str:
    """The key, as it is shown this once."""
    driver.find_element(By.CSS_SELECTOR, "#make-key [name=name]").send_keys(name)
    _press(driver, driver.find_element(By.CSS_SELECTOR, "#make-key button"))
    key = str(_id(driver, "new-key").get_attribute("value"))
    driver.get(driver.current_url)
    assert key not in driver.page_source, "the key is shown again"
    return key


def revoke_key(driver: Chrome, key: str) -> bool:
    """Whether the key is gone from the page afterwards."""
    row = f"[data-key='{key.split('_')[2]}']"
    _press(driver, driver.find_element(By.CSS_SELECTOR, f"{row} button"))
    return not driver.find_elements(By.CSS_SELECTOR, row)


def try_list(driver: Chrome, kind: str, **fields: str) -> dict[str, Any]:
    """Choose one of `KINDS`, set the fields named, test: url, its query, status, answer."""
    Select(driver.find_element(By.NAME, "request")).select_by_value(kind)
    for name, value in fields.items():
        _fill(driver, name, value)
    url = str(_id(driver, "url").get_attribute("value"))
    return {"method": _id(driver, "method").text, "url": url, "query": parse_qs(urlsplit(url).query)} | test_request(
        driver
    )


def try_call(driver: Chrome, user: str, destination: str, *, really: bool) -> dict[str, Any]:
    """Choose *call a number*; the body that the page makes, and the answer if it is `really` sent."""
    Select(driver.find_element(By.NAME, "request")).select_by_value("call")
    Select(driver.find_element(By.NAME, "caller")).select_by_value(user)
    _fill(driver, "destination", destination)
    told = {
        "method": _id(driver, "method").text,
        "url": _id(driver, "url").get_attribute("value"),
        "body": json.loads(_id(driver, "body").text),
    }
    return told | (test_request(driver) if really else {})


def test_request(driver: Chrome) -> dict[str, Any]:
    """Press *Test request* and wait for what it shows: status and answer, or the fault."""
    driver.execute_script("document.getElementById('answer').textContent = ''")
    _id(driver, "test").click()
    answer, fault = _id(driver, "answer"), _id(driver, "fault")
    WebDriverWait(driver, WAIT_SECONDS).until(
        lambda _: (answer.is_displayed() or fault.is_displayed()) and _id(driver, "test").is_enabled()
    )
    status = _id(driver, "status").text
    return {
        "status": int(status.split()[0]) if status else None,
        "answer": json.loads(answer.text) if answer.is_displayed() else None,
        "fault": fault.text,
    }


test_request.__test__ = False  # type: ignore[attr-defined]


def _id(driver: Chrome, name: str) -> WebElement:
    return driver.find_element(By.ID, name)


def _fill(driver: Chrome, name: str, value: str) -> None:
    """Set a field as typing would; date fields take ISO dates whatever the browser's language."""
    field = driver.find_element(By.CSS_SELECTOR, f"#request [name={name}]")
    driver.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))",
        field,
        value,
    )


def _press(driver: Chrome, button: WebElement) -> None:
    """Press what leads to another page, and wait for that page."""
    page = driver.find_element(By.TAG_NAME, "html")
    button.click()
    wait = WebDriverWait(driver, WAIT_SECONDS)
    wait.until(lambda _: _is_stale(page))
    wait.until(lambda _: driver.execute_script("return document.readyState") == "complete")


def _is_stale(element: WebElement) -> bool:
    from selenium.common.exceptions import WebDriverException

    try:
        element.is_enabled()
    except WebDriverException:
        return True
    return False
