"""What all suites share: pytester, for the tests that run pytest in pytest."""

pytest_plugins = ["pytester"]
