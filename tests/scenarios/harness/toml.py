"""Writes the little TOML that a configuration needs (Python 3.11 only reads it)."""

import json
import re


def _value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(element) for element in value) + "]"
    raise TypeError(f"no TOML for {value!r}")


def _key(name):
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def dumps(table, path=()):
    """The text of nested dictionaries: plain values first, then each table under its header."""
    lines = []
    if path:
        lines.append("[" + ".".join(_key(part) for part in path) + "]")
    lines += [f"{json.dumps(key)} = {_value(v)}" for key, v in table.items() if not isinstance(v, dict)]
    for key, value in table.items():
        if isinstance(value, dict):
            lines.append(dumps(value, (*path, key)))
    return "\n".join(lines) + "\n"
