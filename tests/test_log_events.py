"""Every event of the log has a row in the table that the page of the reference is made of, and no other has one."""

from __future__ import annotations

import re

import pytest

from hero_config.logs.event_table import EVENTS, KnownEvent
from scripts.log_events import LogCall, levels, log_calls

#: Calls whose event comes from elsewhere: `CountedWarning` gets it when it is made, which is found there.
ELSEWHERE = {("hero_supervisor.rpc.protocol.flow_control", "warning")}


def test_every_event_in_the_code_has_one_row_and_every_row_is_in_the_code() -> None:
    names = [event.name for event in EVENTS]

    assert sorted(names) == sorted(levels())


def test_the_code_says_which_events_a_call_may_write() -> None:
    hidden = {(call.logger, call.level) for call in log_calls() if not call.events}

    assert hidden == ELSEWHERE


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_a_row_is_in_sentences_and_an_error_says_what_to_do_or_what_goes_on(event: KnownEvent) -> None:
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", event.name)
    for text in (event.meaning, event.cure):
        assert re.fullmatch(r"[A-Z].*\.|`.*\.|", text), text
    if {"error", "critical"} & set(levels()[event.name]):
        goes_on = re.search(r"killed|recovered|again|missing|resum", event.meaning)
        assert event.cure or goes_on, event.name


def test_the_reader_of_the_code_sees_each_way_to_write_an_event() -> None:
    found = {(event, call.level): call for call in log_calls() for event in call.events}

    assert ("service.ready", "info") in found  # a call of the logger
    assert ("store.refused", "warning") in found  # one of two, in a variable
    assert ("store.away", "error") in found
    assert ("lane.crashed", "critical") in found  # a failure, with a level
    assert ("rpc.method_broken", "error") in found  # a failure, without one
    assert ("rpc.handshakes_refused", "warning") in found  # a warning with a count
    assert ("child.held", "error") in found  # a decision about a process
    assert ("log.not_rotated", "error") in found  # a logger without a name
    assert ("log.not_written", "error") in found  # a record without a logger
    assert all(isinstance(call, LogCall) and call.line > 0 for call in log_calls())
