"""Evaluates alerts on scraped metrics with Prometheus' own program `promtool`."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

RULES = Path(__file__).parents[2] / "config/prometheus/rules.yaml"
#: Minutes of the first scrape, before the trouble.
BEFORE_MIN = 5
_FIRING = 'count by (alertname) (ALERTS{alertstate="firing"})'
#: Labels that Prometheus adds to what it scrapes.
_TARGET = 'job="hero",instance="here"'


def promtool() -> str:
    """Find the program; skip the test where it is not installed."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed")
    return found


def samples_of(text: str) -> dict[str, str]:
    """Read what `/metrics` has told: the series, with the labels of its target -> its value."""
    samples: dict[str, str] = {}
    for line in text.splitlines():
        if line and line[0] != "#":
            series, _, value = line.rpartition(" ")
            name, _, labels = series.partition("{")
            samples[f"{name}{{{_TARGET}{',' + labels if labels else '}'}"] = value
    return samples


def firing(folder: Path, before: str | None, after: str | None, *, minutes: int) -> set[str]:
    """Say which alerts fire.

    Args:
        folder: For the files of the program.
        before: What was scraped for the first minutes; None for nothing.
        after: What was scraped from then on; None for nothing.
        minutes: For how long.

    Returns:
        Names of the alerts that fire at the end.
    """
    first, last = samples_of(before or ""), samples_of(after or "")
    series = [
        {"series": name, "values": f"{_values(first, name, BEFORE_MIN)} {_values(last, name, minutes)}"}
        for name in sorted(first.keys() | last.keys())
    ]
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "promql_expr_test": [{"expr": _FIRING, "eval_time": f"{BEFORE_MIN + minutes - 1}m", "exp_samples": []}],
            }
        ],
    }
    path = folder / "test.yaml"
    path.write_text(yaml.safe_dump(test))
    done = subprocess.run([promtool(), "test", "rules", str(path)], capture_output=True, text=True, check=False)
    told = done.stdout + done.stderr
    # It expects that none fires, and says what it got instead.
    assert done.returncode == 0 or "got:" in told, told
    return set(re.findall(r'alertname=\\?"(\w+)', told.partition("got:")[2]))


def _values(samples: Mapping[str, str], name: str, count: int) -> str:
    return f"{samples[name]}+0x{count - 1}" if name in samples else f"_x{count}"
