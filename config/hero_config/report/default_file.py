"""Writes `config/hero.toml`: every key with its default, below the explanation from its model.

`python -m hero_config.report.default_file > config/hero.toml` regenerates the file; a test compares the two. Invariant:
loading the file gives exactly the defaults.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

from pydantic import BaseModel

from hero_config.model.settings import Settings
from hero_config.report.schema import docstrings
from hero_config.report.show import plain_value, toml_value

_HEADER = """\
#:schema ./hero.schema.json
# The settings of the Hero actor runtime, each with its default. A key that is left out has its default.
#
# A later layer wins: this file; the files conf.d/*.toml beside it, sorted by name; environment variables named
# HERO_<SECTION>__<KEY>, such as HERO_STORE__REDIS_URL or HERO_ACTORS__SAL__COUNT; flags, such as
# --set actors.sal.count=4. `hero-supervisor config show` prints where each value came from.
#
# In conf.d/ an [[actors]] entry changes the entry with the same name (or type, if it has no name) key by key, or is
# added. `actors = []` removes all entries. Any other list replaces the earlier list.
#
# Relative paths are below the folder in which the service is started.
"""
_ACTORS = """\

# One [[actors]] entry per kind of actor process. Without any entry, one OSIS and one SAL actor run. To run none, write
# `actors = []` above the first section.
"""
_ALLOW = """\
# What the scripts of this actor may do with the functions that it offers them; docs/functions.md has the functions, and
# `heroctl functions` says which setting would allow the others. The keys belong to the [[actors]] entry above.
"""


def default_file() -> str:
    """Write the text of the file."""
    settings = Settings()
    sections = [name for name in Settings.model_fields if name != "actors"]
    parts = [_HEADER, *(f"\n[{name}]\n{_keys(getattr(settings, name))}" for name in sections), _ACTORS]
    first, *others = settings.actors
    parts.append(f"[[actors]]\n{_keys(first)}\n{_ALLOW}[actors.allow]\n{_keys(first.allow)}")
    parts += [f'\n[[actors]]\ntype = "{actor.type}"\n' for actor in others]
    return "".join(parts)


def _keys(section: BaseModel) -> str:
    return "\n".join(_explained(section))


def _explained(section: BaseModel) -> Iterator[str]:
    texts = docstrings(type(section))
    for key in type(section).model_fields:
        if isinstance(getattr(section, key), BaseModel):
            continue  # a table of its own
        comment = textwrap.fill(texts[key], 120, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
        yield f"{comment}\n{key} = {toml_value(plain_value(getattr(section, key)))}\n"


if __name__ == "__main__":
    sys.stdout.write(default_file())
