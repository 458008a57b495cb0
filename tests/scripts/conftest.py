"""A real browser, started once for all tests of the page that ask for it."""

from pathlib import Path

import pytest

BROWSER, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --disable-dev-shm-usage "
    "--window-size=1400,1000"
)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    if not (BROWSER.exists() and DRIVER.exists()):
        packages = "Debian's packages chromium and chromium-driver"
        pytest.skip(f"needs {BROWSER} and {DRIVER}: {packages}")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    profile = tmp_path_factory.mktemp("profile")
    for flag in [*FLAGS.split(), f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(str(DRIVER)))  # given, so that none is looked for
    yield driver
    driver.quit()
