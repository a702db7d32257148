"""The place of a job in a distributed trace: what is read, what is refused, and how runs are named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hero_job.model.builder import JobBuilder
from hero_job.model.errors import JobInvalid
from hero_job.model.fields.trace_context import LENGTH, TraceContext

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(("flags", "is_sampled"), [("00", False), ("01", True), ("02", False), ("03", True)])
def test_a_traceparent_names_trace_span_and_whether_it_is_recorded(flags: str, is_sampled: bool) -> None:
    context = TraceContext.parse(f"00-{TRACE}-{SPAN}-{flags}")

    assert context == TraceContext(TRACE, SPAN, is_sampled)
    assert str(context) == f"00-{TRACE}-{SPAN}-0{int(is_sampled)}"
    assert len(str(context)) == LENGTH


def test_a_traceparent_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert TraceContext.parse(f"cc-{TRACE}-{SPAN}-01") == TraceContext(TRACE, SPAN, True)
    assert TraceContext.parse(f"cc-{TRACE}-{SPAN}-01-more") == TraceContext(TRACE, SPAN, True)


INVALID = [
    "", "00", f"00-{TRACE}-{SPAN}", f"00-{TRACE}-{SPAN}-01-more", f"00-{TRACE}-{SPAN}-1", f"ff-{TRACE}-{SPAN}-01",
    f"00-{TRACE.upper()}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f" 00-{TRACE}-{SPAN}-01",
    f"00-{TRACE}-{SPAN}-01\n", f"00-{TRACE[:-1]}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01more", "\u0660" * 55,
]  # fmt: skip


@pytest.mark.parametrize("text", INVALID)
def test_an_invalid_traceparent_is_ignored_where_it_comes_by_itself_and_refused_as_a_field(text: str) -> None:
    builder = JobBuilder().caller_id("a").context_id("c").script_type("sal").script("1")

    assert TraceContext.parse(text) is None
    with pytest.raises(JobInvalid) as refused:
        builder.traceparent(text).build()
    assert refused.value.field == "traceparent"


@given(st.text(), st.text(), st.text())
def test_a_span_that_is_named_by_its_facts_is_valid_and_depends_on_each_of_them(job: str, other: str, n: str) -> None:
    parent = TraceContext(TRACE, SPAN, True)
    child = parent.child("run", job, n)

    assert child == parent.child("run", job, n) == TraceContext.parse(str(child))
    assert child.trace_id == TRACE
    if other != job:
        assert child != parent.child("run", other, n)
    assert child != TraceContext(TRACE.replace("4", "5"), SPAN, True).child("run", job, n)
