"""Fixtures of the scenarios: each test gets instances of its own, and a failure shows their logs."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import vectors  # noqa: E402
from harness.instance import Instance, binary  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Lets the fixtures below know whether the test failed."""
    outcome = yield
    setattr(item, f"report_{call.when}", outcome.get_result())


def pytest_collection_modifyitems(items):
    if os.geteuid() == 0:
        return
    skip = pytest.mark.skip(reason="needs root: compartments have uids of their own only then")
    for item in items:
        if item.get_closest_marker("root_only"):
            item.add_marker(skip)


def pytest_report_header():
    return f"server under test: {binary()}"


@pytest.fixture
def make_instance(request):
    """A function that makes instances (not started); all are removed at the end, and shown on failure."""
    made = []

    def make(**options):
        made.append(Instance(**options))
        return made[-1]

    yield make
    report = getattr(request.node, "report_call", None)
    if report is not None and report.failed:
        for instance in made:
            print(instance.report())
    for instance in made:
        instance.remove()


@pytest.fixture
def instance(make_instance):
    """A started instance with the mailboxes of alice, bob, carol and dave."""
    return make_instance().start()


@pytest.fixture(scope="session")
def corpora():
    return vectors.directory()
