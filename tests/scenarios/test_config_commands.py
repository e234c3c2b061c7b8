"""sternpost config check, show and explain, for people and, with --json, for programs."""

import json
import subprocess

import pytest
from harness.instance import binary

GOOD = 'setup = "internet-site"\nhostname = "mail.example.org"\ndomains = ["example.org"]\n'


@pytest.fixture
def config(make_instance):
    """A function that runs `sternpost config ...` on a configuration text."""
    instance = make_instance()

    def run(text, *arguments):
        instance.write_config(text)
        done = instance.run("config", *arguments, "--config", instance.config)
        return done, str(instance.config)

    return run


def test_a_good_configuration_is_called_good(config):
    done, path = config(GOOD, "check")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}: good\n", "")
    done, path = config(GOOD, "check", "--json")
    assert done.returncode == 0 and json.loads(done.stdout) == {"file": path, "ok": True, "errors": []}


def test_every_error_is_told_with_its_line(config):
    text = GOOD + 'hostnaem = "x"\n[smtp]\nworkers = 1000\n'
    done, path = config(text, "check", "--json")
    assert done.returncode == 2
    answer = json.loads(done.stdout)
    assert answer["file"] == path and answer["ok"] is False
    assert [error.split(": ")[0] for error in answer["errors"]] == [f"{path}:4", f"{path}:6"]
    assert "hostname" in answer["errors"][0] and "256" in answer["errors"][1]
    done, _ = config(text, "check")
    assert done.returncode == 2
    assert all(error in done.stdout + done.stderr for error in answer["errors"])


def test_show_tells_every_value_and_where_it_came_from(config):
    done, path = config(GOOD, "show", "--json")
    values = {entry["key"]: entry for entry in json.loads(done.stdout)}
    assert values["hostname"] == {"key": "hostname", "value": '"mail.example.org"', "origin": f"{path}:2"}
    assert values["smtp.workers"]["origin"] == "default"
    done, _ = config(GOOD.replace("internet-site", "local-only"), "show", "--json")
    workers = next(entry for entry in json.loads(done.stdout) if entry["key"] == "smtp.workers")
    assert workers["value"] == "1" and "local-only" in workers["origin"]


def test_explain_tells_of_one_parameter(config):
    done, _ = config(GOOD, "explain", "smtp.workers", "--json")
    answer = json.loads(done.stdout)
    assert answer["key"] == "smtp.workers" and answer["seen_by"] == ["master"]
    assert answer["default"].startswith("0") and answer["required"] is False and answer["summary"]
    done, _ = config(GOOD, "explain", "smtp.workers")
    assert answer["summary"] in done.stdout and answer["takes"] in done.stdout


def test_explain_lists_all_parameters_that_show_shows(config):
    explained, _ = config(GOOD, "explain", "--json")
    shown, _ = config(GOOD, "show", "--json")
    assert {entry["key"] for entry in json.loads(shown.stdout)} <= {
        entry["key"] for entry in json.loads(explained.stdout)}


def test_explain_of_a_key_that_is_not_there_names_the_nearest(config):
    done, _ = config(GOOD, "explain", "smtp.worker", "--json")
    assert done.returncode != 0 and done.stdout == "" and "smtp.workers" in done.stderr


def test_a_command_for_an_instance_whose_configuration_is_broken_goes_to_no_other(instance):
    broken = instance.directory / "broken.toml"
    broken.write_text(GOOD + 'hostnaem = "x"\n')
    missing = instance.directory / "missing.toml"
    for path in (broken, missing):
        done = subprocess.run([binary(), "queue", "list", "--config", path], capture_output=True, text=True,
                              timeout=30, check=False)
        assert done.returncode == 2 and str(path) in done.stderr, done.stderr
