"""A fallback must be able to do the job: who is known to be unable is asked by no path of a call."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failover.core.capabilities import NOTHING, UNKNOWN, Capabilities, Capability, Needs, equivalent
from failover.core.policy import LastResort
from failover.core.substitution import BARRING, WINDOW_MARGIN, misfit
from failover.core.vocabulary import Reason, Request, Target
from failover.errors import AllTargetsFailedError, NoEligibleTargetError, RequestRejectedError
from tests.core.script import Driver, Script, scripts
from tests.core.story import CONTEXT_LENGTH, OVERLOADED, RATE_LIMITED, Story, target

TOOLS = Needs(frozenset({Capability.TOOLS}))
WITH_SEED = Needs(parameters=frozenset({"seed"}))


def able(name, *unable, **facts):
    """A target that is known to be unable of these, and of which nothing else is known."""
    return target(name, capabilities=Capabilities(unable=frozenset(unable), **facts))


def refusing(name, *parameters, **facts):
    return target(name, capabilities=Capabilities(unsupported_parameters=frozenset(parameters)), **facts)


BARE = able("bare", *Capability)


def lacking(call):
    return {each.target.name: each.reason for each in call.call.story(0.0).passed_over}


# What a target lacks.


@pytest.mark.parametrize("capability", Capability)
def test_who_is_known_to_be_unable_lacks_what_is_needed_by_that_name(capability):
    assert misfit(BARE, Needs(frozenset({capability}))) == f"no_{capability}"
    assert Reason(f"no_{capability}") in BARRING


@pytest.mark.parametrize("capability", Capability)
def test_what_is_unknown_speaks_against_nobody(capability):
    assert misfit(target("unknown"), Needs(frozenset({capability}))) is None


def test_a_request_that_needs_nothing_can_be_served_by_anybody():
    assert Request("1").needs is NOTHING
    assert misfit(replace(BARE, context_window_tokens=1), NOTHING) is None


def test_of_several_things_lacking_the_first_is_named():
    assert misfit(BARE, Needs(frozenset({Capability.PREFILL, Capability.VISION}))) is Reason.NO_VISION


@pytest.mark.parametrize(("tokens_in", "lack"), [(1500, None), (1501, Reason.WINDOW_TOO_SMALL)])
def test_a_prompt_is_too_long_only_beyond_the_margin_of_its_estimate(tokens_in, lack):
    assert WINDOW_MARGIN == 1.5
    assert misfit(target("small", context_window_tokens=1000), Needs(tokens_in=tokens_in)) is lack
    assert misfit(target("unknown"), Needs(tokens_in=tokens_in)) is None


@pytest.mark.parametrize(("tokens_out", "lack"), [(0, None), (100, None), (101, Reason.OUTPUT_TOO_SHORT)])
def test_an_answer_may_be_asked_for_as_long_as_the_target_gives_it(tokens_out, lack):
    assert misfit(able("brief", output_tokens_max=100), Needs(tokens_out=tokens_out)) is lack


def test_a_parameter_that_a_target_does_not_take_is_told_by_that_reason():
    assert misfit(refusing("strict", "seed"), WITH_SEED) is Reason.PARAMETER_UNSUPPORTED
    assert misfit(refusing("strict", "logprobs"), WITH_SEED) is None


OLD, NEW = "max_tokens", "max_completion_tokens"


@pytest.mark.parametrize(
    ("unsupported", "given_names", "lack"),
    [
        ({OLD}, {OLD}, None),
        ({NEW}, {NEW}, None),
        ({OLD, NEW}, {NEW}, Reason.PARAMETER_UNSUPPORTED),
        ({OLD}, {OLD, NEW}, Reason.PARAMETER_UNSUPPORTED),
        ({OLD, "seed"}, {OLD, "seed"}, Reason.PARAMETER_UNSUPPORTED),
    ],
)
def test_a_parameter_with_another_name_bars_nobody_who_takes_that(unsupported, given_names, lack):
    needs = Needs(parameters=frozenset(given_names))
    assert misfit(refusing("renamed", *unsupported), needs) is lack


def test_nobody_translates_for_a_plain_function():
    ours = refusing("ours", OLD, model="", callable="shop:score")
    assert misfit(ours, Needs(parameters=frozenset({OLD}))) is Reason.PARAMETER_UNSUPPORTED


@given(st.sampled_from([OLD, NEW, "seed"]), *[st.frozensets(st.sampled_from([OLD, NEW, "seed"]))] * 2)
def test_another_name_is_one_that_is_neither_given_nor_refused(parameter, given_names, unsupported):
    other = equivalent(parameter, given_names, unsupported)
    assert other not in given_names | unsupported | {parameter}


CAPABILITIES = st.builds(
    lambda able_at, unable_at, most, names: Capabilities(able_at, unable_at - able_at, most, names),
    st.frozensets(st.sampled_from(Capability)),
    st.frozensets(st.sampled_from(Capability)),
    st.sampled_from([None, 10]),
    st.frozensets(st.sampled_from(["seed", OLD])),
)


@given(CAPABILITIES, CAPABILITIES)
def test_what_is_told_first_stands_over_what_is_told_next(told, hearsay):
    both = told.over(hearsay)
    assert both.able >= told.able
    assert both.unable >= told.unable
    assert not both.able & both.unable
    assert both.able | both.unable == told.able | told.unable | hearsay.able | hearsay.unable
    assert both.output_tokens_max == (told.output_tokens_max or hearsay.output_tokens_max)
    assert both.over(hearsay) == both
    assert UNKNOWN.over(told) == told.over(UNKNOWN) == told


# What becomes of a call.


def test_a_fallback_goes_past_who_cannot_do_the_job():
    call = Story("gpt", BARE, "claude").call(needs=TOOLS).sends_to("gpt").fails(OVERLOADED)
    call.sends_to("claude").succeeds()
    assert lacking(call) == {"bare": "no_tools"}


def test_who_cannot_do_this_job_does_another():
    Story(BARE, "claude").call(needs=WITH_SEED).sends_to("bare").succeeds()


def test_a_second_chance_waits_for_who_can_rather_than_ask_who_cannot():
    call = Story("gpt", BARE).call(needs=TOOLS).sends_to("gpt").fails(RATE_LIMITED, retry_after_s=2.0)
    call.waits_until(2.0).wakes().sends_to("gpt").succeeds()


def test_a_last_resort_asks_nobody_who_cannot():
    story = Story("gpt", BARE).cools_down("gpt", 5.0)
    story.call(needs=TOOLS).waits_until(5.0).wakes().sends_to("gpt").succeeds()


def test_a_request_that_no_target_can_serve_is_rejected_with_each_reason():
    small = target("small", context_window_tokens=10)
    error = Story(BARE, small).call(needs=replace(TOOLS, tokens_in=100)).raises(RequestRejectedError)
    assert "bare: no_tools; small: window_too_small" in str(error)
    assert error.retry_after_s is None
    assert error.failures == ()


def test_while_somebody_who_could_is_away_nobody_is_eligible():
    story = Story("gpt", BARE, last_resort=LastResort.FAIL).cools_down("gpt", 5.0)
    error = story.call(needs=TOOLS).raises(NoEligibleTargetError)
    assert "gpt: cooldown; bare: no_tools" in str(error)
    assert error.retry_after_s == 5.0


def test_a_failure_of_all_who_can_is_a_failed_call():
    call = Story("gpt", BARE, attempts=1).call(needs=TOOLS).sends_to("gpt").fails(OVERLOADED)
    call.raises(AllTargetsFailedError)


def test_a_larger_window_is_no_hope_where_the_job_cannot_be_done():
    small, large = target("small", context_window_tokens=8), replace(BARE, context_window_tokens=99)
    call = Story(small, large).call(needs=TOOLS).sends_to("small").fails(CONTEXT_LENGTH)
    call.raises(RequestRejectedError)


# Whatever route, calls and outcomes.


class DemandingDriver(Driver):
    """Every call needs the same."""

    def __init__(self, script: Script, needs: Needs) -> None:
        self.needs = needs
        super().__init__(script)

    def _call(self, number, plan):
        call = super()._call(number, plan)
        call.request = replace(call.request, needs=self.needs)
        return call


NEEDS = st.builds(
    Needs,
    st.frozensets(st.sampled_from([Capability.TOOLS, Capability.VISION]), max_size=2),
    st.frozensets(st.sampled_from(["seed", OLD])),
    tokens_in=st.sampled_from([0, 11_000, 13_000]),
    tokens_out=st.sampled_from([0, 11]),
)


@st.composite
def demanding(draw) -> Script:
    """Scripts over targets of which this or that is known."""
    script = draw(scripts())

    def informed(each: Target) -> Target:
        return replace(each, capabilities=draw(CAPABILITIES | st.just(UNKNOWN)))

    chain = tuple(tuple(informed(each) for each in tier) for tier in script.route.chain)
    return replace(script, route=replace(script.route, chain=chain))


@given(demanding(), NEEDS)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_is_ever_sent_to_who_is_known_to_be_unable(script, needs):
    played = DemandingDriver(script, needs).play()
    unable = {each.name: misfit(each, needs) for each in script.route.targets()}
    unable = {name: lack for name, lack in unable.items() if lack is not None}
    assert not {event.target for event in played.named("attempt_started")} & unable.keys()
    for event in played.named("call_started"):
        told = {name: reason for name, reason in event.passed_over if reason in BARRING}
        assert told == unable
        assert not unable.keys() & set(event.order)
    assert len(played.ended) == len({*played.ended})


@given(demanding())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_call_that_needs_nothing_passes_nobody_over_for_it(script):
    for event in Driver(script).play().named("call_started"):
        assert not {reason for _, reason in event.passed_over} & BARRING
