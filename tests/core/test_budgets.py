"""What a call may spend: reserved before it is sent, settled when it ended, and never more than a budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.alarms import Alarm
from failover.core.capabilities import Capabilities
from failover.core.decide import decide
from failover.core.policy import HedgePolicy, RetryBudgetPolicy
from failover.core.prices import DatedPrice, PriceBook
from failover.core.purse import ANSWER_FACTOR, TIMEOUT_EXTRA_S, Purse, affordable, purse_of
from failover.core.spend import Account, OnLedgerFailure, Per, Spender, SpendScope, Totals
from failover.core.spending import Spending
from failover.core.vocabulary import Operation, Reason, Request, Usage
from failover.errors import AllTargetsFailedError, BudgetExceededError, NoEligibleTargetError
from failover.ledger.memory import MemoryLedger
from tests.core.money import NOON_S, BrokenLedger, budget, events, is_open, priced
from tests.core.story import CONNECTION, OVERLOADED, Story, target

DAY_S = 86_400.0
MIDNIGHT_S = NOON_S - DAY_S / 2
BOTH = priced("gpt", "claude")


def told(tokens_out: int) -> Usage:
    return Usage(0, tokens_out)


class Books:
    """A story with budgets, at noon."""

    def __init__(self, *budgets, chain=("gpt", "claude"), prices=BOTH, ledger=None, alarms=(), **facts):
        self.ledger = MemoryLedger() if ledger is None else ledger
        on_failure = facts.pop("on_failure", OnLedgerFailure.REFUSE)
        self.spending = Spending(self.ledger, budgets, alarms, on_failure)
        self.story = Story(*chain, prices=prices, spending=self.spending, epoch_s=NOON_S, **facts)

    def spends(self, nusd, name="gpt", **asked):
        """A call that costs so much, and was known to."""
        self.story.call(tokens_out_max=nusd, **asked).sends_to(name).succeeds(told(nusd))
        return self

    def standing(self):
        return {str(each.account): each.totals for each in self.spending.standing(NOON_S + self.story.now)}


def test_what_a_call_costs_is_spent():
    books = Books(budget("route:chat", 100)).spends(30).spends(20)
    assert books.standing() == {"route:chat": Totals(50, 0)}


def test_while_an_attempt_runs_what_it_may_cost_is_reserved():
    books = Books(budget("all", 100))
    call = books.story.call(tokens_out_max=70).sends_to("gpt")
    assert books.standing() == {"all": Totals(0, 70)}
    call.succeeds(told(40))
    assert books.standing() == {"all": Totals(40, 0)}


def test_a_target_that_a_budget_has_no_room_for_is_passed_over_until_the_window_ends():
    books = Books(budget("target:gpt", 100)).spends(60)
    call = books.story.call(tokens_out_max=41).sends_to("claude").succeeds(told(41))
    [passed] = call.call.story(0.0).passed_over
    assert (passed.target.name, passed.reason) == ("gpt", Reason.BUDGET_SPENT)
    assert passed.until_s == DAY_S / 2
    assert books.standing() == {"target:gpt": Totals(60, 0)}


def test_what_is_under_way_counts_as_if_it_were_spent():
    books = Books(budget("all", 100))
    first = books.story.call(tokens_out_max=60).sends_to("gpt")
    books.story.call(tokens_out_max=60).raises(BudgetExceededError)
    first.succeeds(told(10))
    books.spends(60)


def test_when_money_is_all_that_speaks_against_everybody_the_error_says_whose_and_until_when():
    books = Books(budget("route:chat", 100)).spends(90)
    error = books.story.call(tokens_out_max=11).raises(BudgetExceededError)
    assert (error.scope, error.limit_nusd, error.spent_nusd) == ("route:chat", 100, 90)
    assert (error.reserved_nusd, error.asked_nusd, error.resets_s) == (0, 11, MIDNIGHT_S + DAY_S)
    assert error.retry_after_s == DAY_S / 2
    assert "it begins anew at 2026-05-14 00:00:00Z" in str(error)


def test_a_budget_that_never_begins_anew_says_nothing_of_when():
    error = Books(budget("all", 5, "total")).story.call(tokens_out_max=6).raises(BudgetExceededError)
    assert error.resets_s is None
    assert "anew" not in str(error)


def test_where_something_else_speaks_against_somebody_it_is_no_matter_of_money_alone():
    books = Books(budget("target:claude", 5))
    books.story.state("gpt").drained = True
    error = books.story.call(tokens_out=6).raises(NoEligibleTargetError)
    assert {each.reason for each in error.passed_over} == {Reason.DRAINED, Reason.BUDGET_SPENT}


def test_a_budget_shows_when_it_begins_anew():
    books = Books(budget("all", 5), budget("all", 9, "total"))
    assert [each.resets_s for each in books.spending.standing(NOON_S)] == [MIDNIGHT_S + DAY_S, None]


def test_the_next_window_begins_with_nothing_spent():
    books = Books(budget("all", 100)).spends(100)
    books.story.call(tokens_out_max=1).raises(BudgetExceededError)
    books.story.after(DAY_S / 2)
    books.spends(100)


def test_a_charge_counts_in_the_window_in_which_it_was_sent():
    books = Books(budget("all", 100))
    call = books.story.after(DAY_S / 2 - 1).call(tokens_out_max=80).sends_to("gpt")
    call.after(2.0).succeeds(told(80))
    assert books.standing() == {"all": Totals(0, 0)}
    yesterday = Account(Spender.ALL, "", MIDNIGHT_S, MIDNIGHT_S + DAY_S)
    assert books.ledger.totals(yesterday, NOON_S) == Totals(80, 0)


def test_every_budget_in_whose_scope_an_attempt_is_must_have_room():
    books = Books(budget("all", 100), budget("tenant:*", 40), budget("tag:batch", 30))
    books.spends(30, tenant="acme", tags=frozenset({"batch"}))
    books.story.call(tokens_out_max=11, tenant="acme").raises(BudgetExceededError)
    books.story.call(tokens_out_max=1, tags=frozenset({"batch"})).raises(BudgetExceededError)
    books.spends(40, tenant="umbrella").spends(30)
    assert books.standing() == {
        "all": Totals(100, 0),
        "tenant:acme": Totals(30, 0),
        "tenant:umbrella": Totals(40, 0),
        "tag:batch": Totals(30, 0),
    }


def test_a_soft_budget_refuses_nothing():
    assert Books(budget("all", 10, hard=False)).spends(50).standing() == {"all": Totals(50, 0)}


def test_a_share_of_a_budget_is_told_once_in_a_window_and_so_is_all_of_it():
    books = Books(budget("tenant:*", 100, hard=False))
    for _ in range(14):
        books.spends(10, tenant="acme")
    shares = [
        (event.account, event.spent_share, event.spent_nusd)
        for event in events(books.story, "budget_reached")
    ]
    assert shares == [("tenant:acme", 0.8, 80), ("tenant:acme", 1.0, 100)]
    books.story.after(DAY_S)
    for _ in range(9):
        books.spends(10, tenant="acme")
    assert [event.spent_share for event in events(books.story, "budget_reached")] == [0.8, 1.0, 0.8]


def test_an_attempt_that_failed_for_nothing_leaves_nothing_behind():
    books = Books(budget("all", 100))
    books.story.call(tokens_out_max=100).sends_to("gpt").fails(OVERLOADED).sends_to("claude").succeeds(
        told(70)
    )
    assert books.standing() == {"all": Totals(70, 0)}


def test_who_leaves_leaves_no_reservation():
    books = Books(budget("all", 100))
    books.story.call(tokens_out_max=100).sends_to("gpt").leaves()
    assert books.standing() == {"all": Totals(0, 0)}
    assert is_open(books.ledger) == []


def test_what_an_answer_costs_beyond_its_reservation_is_told():
    books = Books(budget("all", 100))
    books.story.call(tokens_out_max=60).sends_to("gpt").succeeds(told(130))
    [exceeded] = events(books.story, "reservation_exceeded")
    assert (exceeded.reserved_nusd, exceeded.cost_nusd) == (60, 130)
    assert books.standing() == {"all": Totals(130, 0)}


def test_an_answer_whose_cost_nobody_tells_costs_what_was_reserved_for_it():
    books = Books(budget("all", 1000))
    call = books.story.call(tokens_out_max=60, operation=Operation.EMBEDDING).sends_to("gpt").succeeds()
    assert call.call.story(0.0).cost_nusd is None
    assert books.standing() == {"all": Totals(60, 0)}


# How much is reserved


def most_nusd(story, **asked):
    request = Request("1", **{"tokens_out_max": 0, **asked})
    purse = Purse(request, story.route, story.learned, story.facts, 1)
    return purse.most_nusd(story.route.targets()[0], 0.0, 10.0)


def test_of_the_prompt_a_token_for_each_character_and_some_for_what_the_provider_adds():
    story = Story("gpt", prices=PriceBook({"gpt": (DatedPrice(1_000_000, 0),)}))
    assert most_nusd(story, tokens_in=100) == 4 * 100 + 64


def test_of_an_answer_that_nobody_bounds_several_times_the_usual_length():
    story = Story("gpt", prices=BOTH)
    assert most_nusd(story, tokens_out_max=None) == ANSWER_FACTOR * 256


def test_no_answer_is_longer_than_the_model_can_say():
    short = target("gpt", capabilities=Capabilities(output_tokens_max=50))
    assert most_nusd(Story(short, prices=BOTH), tokens_out_max=None) == 50
    assert most_nusd(Story(short, prices=BOTH), tokens_out_max=20) == 20


def test_of_two_prices_before_the_deadline_the_dearer():
    rising = DatedPrice(0, 3_000_000, valid_from_s=5.0)
    story = Story("gpt", prices=PriceBook({"gpt": (DatedPrice(0, 1_000_000), rising)}))
    assert most_nusd(story, tokens_out_max=10) == 30


@pytest.mark.parametrize("operation", [Operation.IMAGE_GENERATION, Operation.SPEECH, Operation.RERANK])
def test_nobody_knows_beforehand_what_is_billed_by_something_else_than_tokens(operation):
    assert most_nusd(Story("gpt", prices=BOTH), operation=operation) is None


def test_a_price_that_ends_before_the_deadline_is_unknown():
    ending = DatedPrice(0, 1, valid_to_s=5.0)
    assert most_nusd(Story("gpt", prices=PriceBook({"gpt": (ending,)}))) is None


@given(st.integers(0, 4000), st.integers(1, 4000), st.integers(0, 16_000))
def test_a_reservation_covers_whatever_the_request_allows(estimated, max_tokens, characters):
    price = DatedPrice(3_000_000, 15_000_000)
    story = Story("gpt", prices=PriceBook({"gpt": (price,)}))
    really_in = min(characters, 4 * estimated)  # a token is at least a character
    used = price.charge_nusd(Usage(really_in, max_tokens))
    assert most_nusd(story, tokens_in=estimated, tokens_out_max=max_tokens) >= used


# Unknown prices


def test_a_target_whose_price_nobody_knows_is_not_asked_under_a_hard_budget():
    books = Books(budget("all", 100), prices=priced("claude"))
    call = books.story.call(tokens_out_max=10).sends_to("claude")
    assert [each.reason for each in call.call.story(0.0).passed_over] == [Reason.PRICE_UNKNOWN]


def test_where_nobody_knows_any_price_the_error_says_so():
    error = Books(budget("all", 100), prices=PriceBook()).story.call().raises(BudgetExceededError)
    assert "give it `prices`" in str(error)
    assert (error.scope, error.limit_nusd, error.spent_nusd) == ("all", 100, None)
    error = Story("gpt").call(max_cost_nusd=5).raises(BudgetExceededError)
    assert error.scope == "call"


def test_under_a_soft_budget_it_is_asked():
    Books(budget("all", 100, hard=False), prices=PriceBook()).story.call().sends_to("gpt").succeeds(told(5))


def test_the_hard_one_of_several_budgets_is_named():
    books = Books(budget("route:chat", 9, hard=False), budget("all", 100), prices=PriceBook())
    assert books.story.call().raises(BudgetExceededError).scope == "all"


def test_a_budget_that_the_target_is_no_part_of_keeps_nobody_away():
    Books(budget("target:claude", 1), prices=PriceBook()).story.call().sends_to("gpt")


# The cap of a call


def test_a_call_never_costs_more_than_its_cap():
    story = Story("gpt", "claude", prices=BOTH)
    call = story.call(tokens_out_max=60, max_cost_nusd=100).sends_to("gpt").fails(CONNECTION, usage=told(50))
    error = call.raises(AllTargetsFailedError)
    assert [each.reason for each in error.passed_over] == [Reason.TOO_EXPENSIVE, Reason.TOO_EXPENSIVE]


def test_what_an_attempt_did_not_cost_may_be_spent_by_the_next():
    story = Story("gpt", "claude", prices=BOTH)
    story.call(tokens_out_max=60, max_cost_nusd=100).sends_to("gpt").fails(OVERLOADED).sends_to("claude")


def test_a_cap_that_is_too_small_for_anybody_says_what_to_do():
    error = Story("gpt", prices=BOTH).call(tokens_out_max=60, max_cost_nusd=59).raises(BudgetExceededError)
    assert (error.scope, error.asked_nusd, error.retry_after_s) == ("call", 60, None)
    assert "bound the answer with max_tokens" in str(error)


def test_of_the_cap_of_the_policy_and_of_the_request_the_lesser_holds():
    story = Story("gpt", prices=BOTH, max_cost_nusd=50)
    story.call(tokens_out_max=60).raises(BudgetExceededError)
    story.call(tokens_out_max=60, max_cost_nusd=70).raises(BudgetExceededError)
    story.call(tokens_out_max=30, max_cost_nusd=20).raises(BudgetExceededError)
    story.call(tokens_out_max=50, max_cost_nusd=70).sends_to("gpt")


def test_a_cheaper_target_is_asked_in_place_of_one_that_is_too_expensive():
    prices = PriceBook({"gpt": (DatedPrice(0, 2_000_000),), "claude": (DatedPrice(0, 1_000_000),)})
    Story("gpt", "claude", prices=prices).call(tokens_out_max=60, max_cost_nusd=100).sends_to("claude")


def test_what_a_retry_that_is_not_made_would_have_cost_is_put_back():
    story = Story("gpt", prices=BOTH, retry_budget=RetryBudgetPolicy(0.0, 0.0)).spends_the_retry_budget()
    story.call(tokens_out_max=30, max_cost_nusd=100).sends_to("gpt").fails(CONNECTION).raises(
        AllTargetsFailedError
    )


def test_without_cap_budget_or_ledger_a_call_has_no_purse():
    story = Story("gpt", prices=BOTH)
    assert purse_of(Request("1"), story.route, story.learned, story.facts) is None


# Paths of a call


def test_a_retry_at_once_is_paid_for_too():
    books = Books(budget("all", 100), chain=("gpt",))
    call = books.story.call(tokens_out_max=80).sends_to("gpt").fails(CONNECTION, usage=told(30))
    error = call.raises(AllTargetsFailedError)
    assert [each.reason for each in error.passed_over] == [Reason.BUDGET_SPENT]
    assert books.standing() == {"all": Totals(30, 0)}


def test_a_retry_at_once_without_a_retry_budget_puts_back_what_was_reserved():
    books = Books(budget("all", 100), chain=("gpt",), retry_budget=RetryBudgetPolicy(0.0, 0.0))
    books.story.spends_the_retry_budget()
    books.story.call(tokens_out_max=30).sends_to("gpt").fails(CONNECTION).raises(AllTargetsFailedError)
    assert is_open(books.ledger) == []


def test_a_fallback_that_the_retry_budget_does_not_allow_puts_back_what_was_reserved():
    gpt, mini = target("gpt", provider="openai"), target("claude", provider="openai")
    books = Books(budget("all", 100), chain=(gpt, mini), retry_budget=RetryBudgetPolicy(0.0, 0.0))
    books.story.spends_the_retry_budget()
    books.story.call(tokens_out_max=30).sends_to("gpt").fails(OVERLOADED).raises(AllTargetsFailedError)
    assert is_open(books.ledger) == []


def test_a_further_fallback_that_the_retry_budget_does_not_allow_ends_the_call_without_a_reservation():
    books = Books(
        budget("all", 100),
        chain=("gpt", "claude", "mistral"),
        prices=priced("gpt", "claude", "mistral"),
        retry_budget=RetryBudgetPolicy(0.0, 0.0),
    )
    books.story.spends_the_retry_budget()
    call = books.story.call(tokens_out_max=30).sends_to("gpt").fails(OVERLOADED).sends_to("claude")
    call.fails(OVERLOADED).raises(AllTargetsFailedError)
    assert is_open(books.ledger) == []


def test_a_last_resort_is_paid_for_too():
    books = Books(budget("target:gpt", 100)).spends(80)
    books.story.opens_the_breaker_of("gpt", 5.0).opens_the_breaker_of("claude", 9.0)
    books.story.call(tokens_out_max=30).waits_until(5.0).wakes().waits_until(9.0).wakes().sends_to("claude")
    assert books.standing() == {"target:gpt": Totals(80, 0)}


def test_a_hedge_is_paid_for_too():
    books = Books(budget("target:claude", 100), hedge=HedgePolicy(0.5, 1.0, None))
    for _ in range(40):
        books.story.state("gpt").totals.observe(1.0)
        books.story.learned.deposit("chat")
    call = books.story.call(tokens_out_max=101).sends_and_wakes("gpt", 1.0).wakes().does_nothing()
    call.succeeds(told(1))
    call = books.story.call(tokens_out_max=100).sends_and_wakes("gpt", 1.0).wakes()
    assert [command.target.name for command in call.wanted] == ["claude"]
    assert books.standing() == {"target:claude": Totals(0, 100)}


def test_a_hedge_that_its_own_budget_does_not_allow_puts_back_what_was_reserved():
    books = Books(budget("target:claude", 100), hedge=HedgePolicy(0.5, 1.0, 0.01))
    for _ in range(40):
        books.story.state("gpt").totals.observe(1.0)
        books.story.learned.deposit("chat")
    books.story.call(tokens_out_max=90).sends_and_wakes("gpt", 1.0).wakes().does_nothing()
    assert books.standing() == {"target:claude": Totals(0, 0)}


# What is told


def test_what_is_reserved_is_told_with_its_accounts():
    books = Books(budget("all", 100), budget("tenant:*", 100)).spends(5, tenant="acme")
    [reserved] = events(books.story, "spend_reserved")
    assert (reserved.attempt, reserved.target, reserved.reserved_nusd) == (1, "gpt", 5)
    assert reserved.accounts == ("all", "tenant:acme")


def test_a_refusal_is_told_with_its_figures():
    books = Books(budget("target:gpt", 100)).spends(60).spends(50, "claude")
    [refused] = events(books.story, "spend_refused")
    assert (refused.target, refused.reason, refused.account) == ("gpt", Reason.BUDGET_SPENT, "target:gpt")
    figures = refused.limit_nusd, refused.spent_nusd, refused.reserved_nusd, refused.asked_nusd
    assert figures == (100, 60, 0, 50)


def test_where_nobody_listens_budgets_hold_all_the_same():
    books = Books(budget("all", 100), listening=False).spends(100)
    books.story.call(tokens_out_max=1).raises(BudgetExceededError)


def test_a_decision_shows_who_would_be_too_expensive_and_reserves_nothing():
    soft = budget("all", 1, hard=False)
    books = Books(soft, budget("target:gpt", 100)).spends(60)
    story = books.story

    def explained(request):
        decision = decide(story.route, request, story.learned, story.facts, 0.0, lambda: 0.5)
        return affordable(decision, story.route, request, story.learned, story.facts, 0.0)

    decision = explained(Request("1", tokens_out_max=50))
    assert [target.name for target in decision.order] == ["claude"]
    assert [(each.target.name, each.reason) for each in decision.passed_over] == [
        ("gpt", Reason.BUDGET_SPENT)
    ]
    cheap = explained(Request("2", tokens_out_max=5, deadline_s=1.0))
    assert [target.name for target in cheap.order] == ["gpt", "claude"]
    capped = explained(Request("3", tokens_out_max=50, max_cost_nusd=10))
    assert [each.reason for each in capped.passed_over] == [Reason.TOO_EXPENSIVE] * 2
    assert books.standing() == {"all": Totals(60, 0), "target:gpt": Totals(60, 0)}
    bare = Story("gpt")
    plain = decide(bare.route, Request("4"), bare.learned, bare.facts, 0.0, lambda: 0.5)
    assert affordable(plain, bare.route, Request("4"), bare.learned, bare.facts, 0.0) is plain


# A ledger that does not answer


def broken(**facts):
    books = Books(budget("all", 100), ledger=BrokenLedger(), **facts)
    books.ledger.trouble = "the ledger spend.db is locked"
    return books


def test_while_the_ledger_does_not_answer_nothing_is_sent_under_a_hard_budget():
    error = broken().story.call(tokens_out_max=5).raises(NoEligibleTargetError)
    assert {each.reason for each in error.passed_over} == {Reason.LEDGER_FAILED}
    assert "the ledger spend.db is locked" in str(error)


def test_that_is_told_once_and_so_is_its_end():
    books = broken()
    books.story.call(tokens_out_max=5).raises(NoEligibleTargetError)
    books.story.call(tokens_out_max=5).raises(NoEligibleTargetError)
    assert [event.what for event in events(books.story, "ledger_failed")] == ["the ledger spend.db is locked"]
    books.ledger.trouble = ""
    books.spends(5)
    assert len(events(books.story, "ledger_recovered")) == 1


def test_a_config_may_ask_to_serve_all_the_same():
    books = broken(on_failure=OnLedgerFailure.SERVE)
    books.story.call(tokens_out_max=500).sends_to("gpt").succeeds(told(500))


def test_under_soft_budgets_everybody_is_served_whatever_the_ledger_does():
    books = Books(budget("all", 100, hard=False), ledger=BrokenLedger())
    books.ledger.trouble = "the disk is full"
    books.story.call(tokens_out_max=500).sends_to("gpt").succeeds(told(500))


def test_a_decision_shows_that_the_ledger_does_not_answer():
    story = broken().story
    request = Request("1", tokens_out_max=5)
    decision = decide(story.route, request, story.learned, story.facts, 0.0, lambda: 0.5)
    explained = affordable(decision, story.route, request, story.learned, story.facts, 0.0)
    assert {each.reason for each in explained.passed_over} == {Reason.LEDGER_FAILED}


# Another config


def test_what_was_told_and_what_is_usual_stays_known_under_another_config():
    alarm = Alarm(SpendScope(Spender.ALL), 50, Per.HOUR)
    day = budget("all", 100, hard=False)
    books = Books(day, alarms=(alarm,))
    for _ in range(9):
        books.spends(10)
    assert len(events(books.story, "budget_reached")) == 1
    after = Spending(books.ledger, (day, budget("route:chat", 500)), (alarm,))
    after.follow(books.spending)
    story = Story("gpt", prices=BOTH, spending=after, epoch_s=NOON_S)
    story.call(tokens_out_max=1).sends_to("gpt").succeeds(told(1))
    assert events(story, "budget_reached") == []
    assert events(story, "spend_alarm_raised") == []
    assert [each.totals.spent_nusd for each in after.standing(NOON_S)] == [91, 1]


def test_another_alarm_begins_to_watch_anew():
    books = Books(alarms=(Alarm(SpendScope(Spender.ALL), 50),)).spends(60)
    other = Alarm(SpendScope(Spender.ALL), 40)
    after = Spending(MemoryLedger(), (), (other,))
    after.follow(books.spending)
    story = Story("gpt", prices=BOTH, spending=after, epoch_s=NOON_S)
    story.call(tokens_out_max=39).sends_to("gpt").succeeds(told(39))
    assert events(story, "spend_alarm_raised") == []


# Reservations that nobody ends


def test_what_is_reserved_for_a_call_that_never_ends_is_free_again_a_while_after_its_deadline():
    books = Books(budget("all", 100), deadline_s=30.0)
    books.story.call(tokens_out_max=100).sends_to("gpt")
    books.story.after(30.0 + TIMEOUT_EXTRA_S - 1).call(tokens_out_max=1).raises(BudgetExceededError)
    books.story.after(1.0)
    books.spends(100)


spending = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60), st.sampled_from(["ends", "fails", "leaves", "hangs"])),
    max_size=30,
)


@given(spending, st.integers(0, 120))
def test_a_hard_budget_is_never_overshot_while_nobody_costs_more_than_was_reserved(calls, limit):
    books = Books(budget("all", limit), chain=("gpt",), attempts=1)
    spent = 0
    for bound, used, how in calls:
        call = books.story.call(tokens_out_max=bound)
        if "Raise" in repr(call.wanted):
            assert (
                sum(
                    books.standing()["all"].__getattribute__(each) for each in ("spent_nusd", "reserved_nusd")
                )
                + bound
                > limit
            )
            continue
        call.sends_to("gpt")
        usage = told(min(used, bound))
        if how == "ends":
            call.succeeds(usage)
        elif how == "fails":
            call.fails(OVERLOADED, usage=usage)
        elif how == "leaves":
            call.leaves()
        spent += usage.tokens_out if how in ("ends", "fails") else 0
        totals = books.standing()["all"]
        assert totals.spent_nusd == spent
        assert totals.spent_nusd + totals.reserved_nusd <= limit
