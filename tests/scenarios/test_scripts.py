"""What developers run: that it says what it did not do, and keeps out of the way of another checkout."""

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest
from harness.vectors import REPOSITORY


@pytest.fixture
def script(monkeypatch):
    """A function that loads a script by its name, without running it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def load(name):
        loader = SourceFileLoader(name.replace("-", "_"), str(REPOSITORY / "scripts" / name))
        module = module_from_spec(spec_from_loader(loader.name, loader))
        loader.exec_module(module)
        return module

    return load


def test_lint_does_not_call_clean_what_it_has_not_reached(script, tmp_path, monkeypatch):
    lint = script("lint")
    monkeypatch.setattr(lint, "CACHE", tmp_path)
    some_file = REPOSITORY / "src" / "base" / "time.cc"
    assert lint.tidy(some_file, deadline=1) == (some_file, None)  # the deadline is long over
    assert lint.verdict(findings=0, unreached=0) == 0
    assert lint.verdict(findings=0, unreached=1) == 3
    assert lint.verdict(findings=1, unreached=1) == 1


def test_a_port_of_a_page_is_replaced_by_a_free_one_in_all_its_blocks(script):
    blocks = [(1, "toml config", 'listen = ["127.0.0.1:12525"]\nworkers = 2\n'),
              (5, "sh run", "swaks --server 127.0.0.1:12525 # not 125256\n"), (9, "text output", "on 12525\n")]
    (_, _, config), (_, _, shell), (_, _, output) = script("check-docs").with_free_ports(blocks)
    port = config.split(":")[1].split('"')[0]
    assert port != "12525" and port.isdigit() and "workers = 2" in config
    assert shell == f"swaks --server 127.0.0.1:{port} # not 125256\n" and output == f"on {port}\n"


def test_a_page_without_a_configuration_keeps_its_numbers(script):
    blocks = [(1, "sh run", "echo 12525\n")]
    assert script("check-docs").with_free_ports(blocks) == blocks
