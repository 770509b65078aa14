"""The ledgers: both keep the same rules, and the one in a file says what is wrong and loses nothing."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from math import inf
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from failover.core.spend import Account, Charge, Hold, Ledger, Refusal, Reservation, Spender, Totals
from failover.core.vocabulary import Target, Usage
from failover.errors import LedgerError
from failover.ledger import keeping
from failover.ledger.memory import LATE_S, MemoryLedger
from failover.ledger.sqlite import REST_S, STEP_BACK_S, SqliteLedger
from failover.ledger.summary import summarize
from failover.ledger.tables import APPLICATION_ID, VERSIONS

DAY_S = 86_400.0
GPT = Target("gpt", "openai", "openai/gpt-5.6-luna", credential="OPENAI_API_KEY")
ALL = Account(Spender.ALL, "", 0.0, DAY_S)


def hold(limit: int | None, account: Account = ALL) -> tuple[Hold, ...]:
    return (Hold(account, limit),)


def charge(nusd: int, at_s: float = 5.0, **facts: object) -> Charge:
    plain = {"tenant": "", "tags": frozenset(), "usage": Usage(0, nusd), "is_estimated": False}
    told = {**plain, **facts}
    return Charge(
        call="1",
        attempt=1,
        route="chat",
        target=GPT,
        cost_nusd=nusd,
        started_s=at_s,
        price_as_of_s=at_s,
        **told,  # type: ignore[arg-type]  # as the defaults above
    )


def reserved(ledger: Ledger, nusd: int, limit: int | None = 1000, at_s: float = 5.0) -> Reservation:
    found = ledger.reserve(hold(limit), nusd, at_s, at_s + 60.0)
    assert isinstance(found, Reservation), found
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spend.db"


@pytest.fixture(params=["memory", "sqlite"])
def ledger(request: pytest.FixtureRequest, path: Path) -> Iterator[Ledger]:
    made: Ledger = MemoryLedger() if request.param == "memory" else SqliteLedger(path)
    yield made
    made.close()


# What both keep


def test_what_is_reserved_and_spent_leaves_that_much_less_room(ledger: Ledger) -> None:
    ledger.settle(reserved(ledger, 300), charge(200))
    reserved(ledger, 500)
    assert ledger.totals(ALL, 6.0) == Totals(200, 500)
    refusal = ledger.reserve(hold(1000), 301, 6.0, 66.0)
    assert refusal == Refusal("all", 1000, 200, 500, 301, DAY_S)
    reserved(ledger, 300)


def test_one_account_without_room_refuses_all_of_them(ledger: Ledger) -> None:
    other = Account(Spender.TENANT, "acme", 0.0, inf)
    refusal = ledger.reserve((*hold(1000), *hold(10, other)), 11, 5.0, 65.0)
    assert refusal == Refusal("tenant:acme", 10, 0, 0, 11, None)
    assert ledger.totals(ALL, 6.0) == Totals(0, 0)


def test_an_account_without_limit_is_counted(ledger: Ledger) -> None:
    ledger.settle(reserved(ledger, 5, limit=None), charge(7000))
    assert ledger.totals(ALL, 6.0) == Totals(7000, 0)


def test_settling_again_changes_nothing(ledger: Ledger) -> None:
    one = reserved(ledger, 300)
    for _ in range(3):
        ledger.settle(one, charge(200))
    ledger.release(one)
    assert ledger.totals(ALL, 6.0) == Totals(200, 0)


def test_a_reservation_that_timed_out_is_free_again_and_can_be_settled_yet(ledger: Ledger) -> None:
    one = reserved(ledger, 1000)
    assert isinstance(ledger.reserve(hold(1000), 1, 64.9, 70.0), Refusal)
    reserved(ledger, 1, at_s=65.0)
    ledger.settle(one, charge(400))
    assert ledger.totals(ALL, 66.0) == Totals(400, 1)


def test_reserving_nothing_is_written_nowhere(ledger: Ledger) -> None:
    first, second = (ledger.reserve((), 10, 5.0, 65.0) for _ in range(2))
    assert isinstance(first, Reservation)
    assert isinstance(second, Reservation)
    assert first.id != second.id
    ledger.release(first)
    assert ledger.totals(ALL, 6.0) == Totals(0, 0)


def test_the_names_of_a_window_are_those_that_spent_or_reserve_in_it(ledger: Ledger) -> None:
    for name in ("acme", "umbrella"):
        account = Account(Spender.TENANT, name, 0.0, DAY_S)
        assert isinstance(ledger.reserve(hold(10, account), 5, 5.0, 65.0), Reservation)
    assert sorted(ledger.names(Spender.TENANT, 0.0, DAY_S)) == ["acme", "umbrella"]
    assert ledger.names(Spender.TENANT, DAY_S, 2 * DAY_S) == []


def test_its_time_does_not_step_back(ledger: Ledger) -> None:
    ledger.settle(reserved(ledger, 5, at_s=1000.0), charge(5, 1000.0))
    assert ledger.now_s(2000.0) == 2000.0
    if isinstance(ledger, MemoryLedger):
        assert ledger.now_s(1500.0) == 2000.0


def test_memory_forgets_what_ended_long_ago() -> None:
    ledger = MemoryLedger()
    ledger.settle(reserved(ledger, 5), charge(5))
    reserved(ledger, 5)
    account = Account(Spender.ALL, "", DAY_S, 2 * DAY_S)
    ledger.reserve(hold(10, account), 1, DAY_S + LATE_S, 2 * DAY_S)
    assert ledger.names(Spender.ALL, 0.0, DAY_S) == []
    assert not ledger._late  # noqa: SLF001  # nothing else tells


class Rules(RuleBasedStateMachine):
    """Any order of reserving, settling, releasing and waiting, beside a model that adds up plainly."""

    reservations = Bundle("reservations")

    def __init__(self) -> None:
        super().__init__()
        self.ledger = self.made()
        self.now = 10.0
        self.open: dict[str, Reservation] = {}
        self.ended: set[str] = set()
        self.released: set[str] = set()
        self.spent: dict[Account, int] = {}

    def made(self) -> Ledger:
        return MemoryLedger()

    def account(self, tenant: str) -> Account:
        return Account(Spender.TENANT, tenant, 0.0, DAY_S)

    def reserved_nusd(self, account: Account) -> int:
        live = [each for each in self.open.values() if each.until_s > self.now]
        return sum(each.nusd for each in live for hold in each.holds if hold.account == account)

    @rule(
        target=reservations,
        tenant=st.sampled_from("ab"),
        nusd=st.integers(0, 60),
        limits=st.tuples(st.none() | st.integers(0, 200), st.none() | st.integers(0, 100)),
        for_s=st.integers(1, 50),
    )
    def reserve(
        self, tenant: str, nusd: int, limits: tuple[int | None, int | None], for_s: int
    ) -> Reservation | None:
        holds = (Hold(ALL, limits[0]), Hold(self.account(tenant), limits[1]))
        fits = all(
            each.limit_nusd is None
            or self.spent.get(each.account, 0) + self.reserved_nusd(each.account) + nusd <= each.limit_nusd
            for each in holds
        )
        found = self.ledger.reserve(holds, nusd, self.now, self.now + for_s)
        assert isinstance(found, Reservation) == fits
        if not isinstance(found, Reservation):
            return None
        assert found.spent_nusd == tuple(self.spent.get(each.account, 0) for each in holds)
        self.open[found.id] = found
        return found

    @rule(one=reservations, nusd=st.integers(0, 90))
    def settle(self, one: Reservation | None, nusd: int) -> None:
        if one is None or one.id in self.released:
            return
        tenant = one.holds[1].account.name
        self.ledger.settle(one, charge(nusd, one.at_s, tenant=tenant))
        self.open.pop(one.id, None)
        if one.id not in self.ended:
            self.ended.add(one.id)
            for each in one.holds:
                self.spent[each.account] = self.spent.get(each.account, 0) + nusd

    @rule(one=reservations)
    def release(self, one: Reservation | None) -> None:
        if one is not None and one.id not in self.ended and one.until_s > self.now:
            self.ledger.release(one)
            self.open.pop(one.id, None)
            self.ended.add(one.id)
            self.released.add(one.id)

    @rule(seconds=st.integers(1, 30))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def it_adds_up(self) -> None:
        for account in (ALL, self.account("a"), self.account("b")):
            expected = Totals(self.spent.get(account, 0), self.reserved_nusd(account))
            assert self.ledger.totals(account, self.now) == expected

    def teardown(self) -> None:
        self.ledger.close()


class RulesOfAFile(Rules):
    """The same, with restarts."""

    def made(self) -> Ledger:
        self.folder = Path(tempfile.mkdtemp())
        return SqliteLedger(self.folder / "spend.db")

    @rule()
    def restart(self) -> None:
        self.ledger.close()
        self.ledger = SqliteLedger(self.folder / "spend.db")

    def teardown(self) -> None:
        super().teardown()
        found = summarize(self.folder / "spend.db", self.now)
        assert found.complaints == ()
        assert found.total.cost_nusd == self.spent.get(ALL, 0)
        shutil.rmtree(self.folder)


TestRules = Rules.TestCase
TestRules.settings = settings(max_examples=30, deadline=None)
TestRulesOfAFile = RulesOfAFile.TestCase
TestRulesOfAFile.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)


# A file


def test_a_charge_is_written_with_all_that_was_known_of_it(path: Path) -> None:
    ledger = SqliteLedger(path)
    usage = Usage(100, 5, tokens_in_cached=60)
    ledger.settle(reserved(ledger, 9), charge(7, tenant="acme", tags=frozenset({"b", "a"}), usage=usage))
    ledger.settle(reserved(ledger, 9), charge(9, usage=None, is_estimated=True))
    ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        first, second = connection.execute("SELECT * FROM charges ORDER BY id")
    assert (first["route"], first["target"], first["provider"]) == ("chat", "gpt", "openai")
    assert (first["tenant"], json.loads(first["tags"]), first["cost_nusd"]) == ("acme", ["a", "b"], 7)
    assert json.loads(first["usage"]) == {"tokens_in": 100, "tokens_out": 5, "tokens_in_cached": 60}
    assert (second["is_estimated"], second["usage"]) == (1, "{}")


@pytest.mark.parametrize("forbidden", ["UPDATE charges SET cost_nusd = 0", "DELETE FROM charges"])
def test_the_file_itself_refuses_to_change_a_charge(path: Path, forbidden: str) -> None:
    ledger = SqliteLedger(path)
    ledger.settle(reserved(ledger, 9), charge(7))
    ledger.close()
    with (
        closing(sqlite3.connect(path)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="only ever"),
    ):
        connection.execute(forbidden)


def test_what_was_spent_outlives_the_process_and_other_budgets(path: Path) -> None:
    first = SqliteLedger(path)
    first.settle(reserved(first, 300), charge(200, tenant="acme", tags=frozenset({"batch"})))
    first.close()
    second = SqliteLedger(path)
    month = Account(Spender.TAG, "batch", 0.0, 30 * DAY_S)
    assert second.totals(ALL, 6.0) == Totals(200, 0)
    assert second.totals(month, 6.0) == Totals(200, 0)
    assert second.totals(Account(Spender.TENANT, "umbrella", 0.0, inf), 6.0) == Totals(0, 0)
    second.close()


def test_charges_of_a_process_that_knows_no_budget_count(path: Path) -> None:
    budgeted, other = SqliteLedger(path), SqliteLedger(path)
    reserved(budgeted, 10, limit=100)
    plain = other.reserve((), 0, 5.0, 65.0)
    assert isinstance(plain, Reservation)
    other.settle(plain, charge(90))
    assert isinstance(budgeted.reserve(hold(100), 1, 6.0, 66.0), Refusal)
    budgeted.close()
    other.close()


def test_the_room_of_one_process_is_that_of_all(path: Path) -> None:
    ledgers = [SqliteLedger(path) for _ in range(4)]
    granted = [
        isinstance(ledgers[number % 4].reserve(hold(100), 7, 5.0, 65.0), Reservation) for number in range(40)
    ]
    assert granted == [True] * 14 + [False] * 26
    for each in ledgers:
        each.close()


def test_threads_share_one_ledger(path: Path) -> None:
    ledger, granted = SqliteLedger(path), []

    def spend() -> None:
        for _ in range(20):
            found = ledger.reserve(hold(1000), 10, 5.0, 65.0)
            if isinstance(found, Reservation):
                granted.append(found)
                ledger.settle(found, charge(10))

    threads = [Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == 100
    assert ledger.totals(ALL, 6.0) == Totals(1000, 0)
    ledger.close()


def test_windows_that_ended_are_forgotten_and_their_charges_are_not(path: Path) -> None:
    ledger = SqliteLedger(path)
    ledger.settle(reserved(ledger, 5), charge(5))
    tomorrow = Account(Spender.ALL, "", DAY_S, 2 * DAY_S)
    ledger.totals(tomorrow, DAY_S + LATE_S)
    assert ledger.names(Spender.ALL, 0.0, DAY_S) == []
    assert ledger.totals(ALL, DAY_S) == Totals(5, 0)
    ledger.close()


def test_a_child_of_a_fork_goes_on_with_a_connection_of_its_own(path: Path) -> None:
    ledger = SqliteLedger(path)
    reserved(ledger, 10)
    child = os.fork()
    if child == 0:  # pragma: no cover - in another process
        try:
            ledger.settle(reserved(ledger, 20), charge(20))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert ledger.totals(ALL, 6.0) == Totals(20, 10)
    ledger.close()


# Clocks


def test_a_clock_that_stepped_back_opens_no_window_again(path: Path) -> None:
    before = SqliteLedger(path)
    before.settle(reserved(before, 5, at_s=DAY_S + 100.0), charge(5, DAY_S + 100.0))
    before.close()
    after = SqliteLedger(path)
    assert after.now_s(DAY_S - 100.0) == DAY_S + 100.0
    assert after.now_s(DAY_S + 200.0) == DAY_S + 200.0
    after.close()


def test_a_clock_that_is_far_behind_counts_and_is_told(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = SqliteLedger(path)
    before.settle(reserved(before, 5, at_s=9 * DAY_S), charge(5, 9 * DAY_S))
    held = before.reserve(hold(1000), 700, 9 * DAY_S, 9 * DAY_S + 60.0)
    assert isinstance(held, Reservation)
    before.close()
    after = SqliteLedger(path)
    assert [after.now_s(5.0), after.now_s(6.0)] == [5.0, 6.0]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "behind the latest charge in" in caplog.text
    assert after.totals(ALL, 6.0) == Totals(0, 0)
    assert after.totals(ALL, 9 * DAY_S - STEP_BACK_S) == Totals(0, 700)
    after.close()


# What is wrong


class Clock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_locked_file_is_waited_for_a_moment_and_then_told(path: Path, clock: Clock) -> None:
    ledger = SqliteLedger(path, wait_s=0.01, clock=clock)
    one = reserved(ledger, 300)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerError, match=r"spend\.db is locked by another process: wait for it"):
            ledger.reserve(hold(1000), 1, 5.0, 65.0)
        ledger.settle(one, charge(200))
        assert ledger.unwritten == 1
        assert "is locked" in ledger.trouble
    clock.now += REST_S
    assert ledger.totals(ALL, 6.0) == Totals(200, 0)
    assert (ledger.unwritten, ledger.trouble) == (0, "")
    ledger.close()


def test_while_it_rests_nobody_waits_for_it(path: Path, clock: Clock) -> None:
    ledger = SqliteLedger(path, wait_s=0.01, clock=clock)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerError):
            ledger.reserve(hold(1000), 1, 5.0, 65.0)
    with pytest.raises(LedgerError, match="is locked"):
        ledger.reserve(hold(1000), 1, 5.0, 65.0)
    clock.now += REST_S
    reserved(ledger, 1)
    ledger.close()


def test_a_full_disk_loses_nothing_that_was_settled(path: Path, clock: Clock) -> None:
    ledger = SqliteLedger(path, clock=clock)
    connection = ledger._connection  # noqa: SLF001  # its quota is that of a connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    spent, tags = 0, frozenset(f"tag-{number}" for number in range(200))
    while not ledger.unwritten:
        one = ledger.reserve((), 5, 5.0, 65.0)
        assert isinstance(one, Reservation)
        ledger.settle(one, charge(5, tags=tags))
        spent += 5
    assert "cannot grow: the disk or its quota is full; free some space" in ledger.trouble
    with pytest.raises(LedgerError, match="free some space"):
        reserved(ledger, 1)
    connection.execute("PRAGMA max_page_count = 1000000")
    clock.now += REST_S
    assert ledger.flush()
    assert ledger.totals(ALL, 6.0) == Totals(spent, 0)
    ledger.close()
    assert summarize(path, 6.0).total.cost_nusd == spent


def test_what_cannot_be_written_to_the_end_is_told_with_its_sum(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = SqliteLedger(path, wait_s=0.01)
    one = reserved(ledger, 300)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ledger.settle(one, charge(200))
        with caplog.at_level(logging.ERROR):
            ledger.close()
    assert "1 charges of 200 nano-dollars could not be written, and are lost" in caplog.text


def test_a_thread_writes_it_down_even_where_nobody_calls(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "EVERY_S", 0.01)
    monkeypatch.setattr(keeping, "LOG_BYTES", 0)
    ledger = SqliteLedger(path, wait_s=0.01, clock=Clock())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        one = reserved(ledger, 300)
        other.execute("BEGIN EXCLUSIVE")
        ledger.settle(one, charge(200))
    ledger._rests_until_s = 0.0  # noqa: SLF001  # a clock by hand does not move for a thread
    keeper = ledger._keeper  # noqa: SLF001  # the thread
    assert keeper is not None
    for _ in range(1000):
        if not ledger.unwritten:
            break
        keeper.wait_a_while()
    assert ledger.unwritten == 0
    ledger.close()


def test_a_closed_ledger_says_so(path: Path) -> None:
    ledger = SqliteLedger(path)
    ledger.close()
    ledger.close()
    with pytest.raises(LedgerError, match="is closed"):
        reserved(ledger, 1)


def test_a_file_of_something_else_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (a)")
    with pytest.raises(LedgerError, match="is a database of something else, not a ledger: name another file"):
        SqliteLedger(path)


def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    path.write_text("once upon a time, " * 100, "utf-8")
    with pytest.raises(LedgerError, match="is no SQLite database: name another file, or move it aside"):
        SqliteLedger(path)
    assert path.read_text("utf-8").startswith("once upon a time")


def test_a_damaged_file_is_told(path: Path) -> None:
    ledger = SqliteLedger(path)
    for _ in range(200):
        ledger.settle(reserved(ledger, 0), charge(5))
    ledger.close()
    whole = bytearray(path.read_bytes())
    whole[4096:] = b"\xff" * (len(whole) - 4096)
    path.write_bytes(whole)
    with pytest.raises(LedgerError, match="is damaged: move it aside"):
        SqliteLedger(path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="its folder must exist, and this user may write there"):
        SqliteLedger(tmp_path / "nowhere" / "spend.db")


def test_a_file_that_may_not_be_written_is_told(path: Path) -> None:
    SqliteLedger(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        if os.access(path, os.W_OK):
            pytest.skip("this user may write whatever it likes")
        with pytest.raises(LedgerError, match="allow this user to write it and its folder"):
            SqliteLedger(path)
    finally:
        path.parent.chmod(0o700)


def test_a_file_of_a_later_version_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        other.execute(f"PRAGMA user_version = {len(VERSIONS) + 1}")
    with pytest.raises(LedgerError, match=r"was written by a later failover .* upgrade failover"):
        SqliteLedger(path)


def test_a_file_that_was_begun_and_not_finished_is_finished(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    SqliteLedger(path).close()
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (len(VERSIONS),)
