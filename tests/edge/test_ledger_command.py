"""`failover ledger FILE`: sums for people and machines, and whether the file adds up."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from failover.cli import main
from failover.core.spend import Account, Reservation, Spender
from failover.core.vocabulary import Usage
from failover.ledger.sqlite import SqliteLedger
from tests.edge.scripted import config
from tests.edge.test_ledger import DAY_S, charge, hold

USED, COSTS = Usage(1000, 500), 7_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three charges on two days, for two tenants."""
    ledger = SqliteLedger(tmp_path / "spend.db")
    whose = (5.0, "acme", "night"), (6.0, "umbrella", "night"), (DAY_S + 5.0, "acme", "batch")
    for at_s, tenant, tag in whose:
        begins_s = at_s // DAY_S * DAY_S
        account = Account(Spender.ALL, "", begins_s, begins_s + DAY_S)
        found = ledger.reserve(hold(10**9, account), COSTS, at_s, at_s + 60.0)
        assert isinstance(found, Reservation)
        ledger.settle(found, charge(COSTS, at_s, tenant=tenant, tags=frozenset({tag}), usage=USED))
    ledger.close()
    return ledger.path


def told(*words: object) -> Result:
    return CliRunner().invoke(main, ["ledger", *map(str, words)])


def test_it_sums_up_by_everything_and_adds_up(file: Path) -> None:
    result = told(file)
    assert result.exit_code == 0, result.output
    assert "3 charges, $0.021000, from 1970-01-01 00:00:05Z to 1970-01-02 00:00:05Z" in result.output
    assert "acme      2        $0.014000  66.7%" in result.output
    assert "it adds up: every sum is that of its charges" in result.output


def test_for_machines_it_is_one_object(file: Path) -> None:
    found = json.loads(told(file, "--json", "--by", "day", "--by", "tag").output)
    assert (found["schema"], found["charges"], found["cost_nusd"]) == ("failover/ledger@1", 3, 3 * COSTS)
    assert list(found["by"]) == ["day", "tag"]
    assert {day: each["charges"] for day, each in found["by"]["day"].items()} == {
        "1970-01-01": 2,
        "1970-01-02": 1,
    }
    assert found["by"]["tag"]["night"]["cost_usd"] == 0.014
    assert found["complaints"] == []


def test_a_period_leaves_out_the_rest(file: Path) -> None:
    assert json.loads(told(file, "--json", "--since", "1970-01-02").output)["charges"] == 1
    assert json.loads(told(file, "--json", "--until", "1970-01-02").output)["charges"] == 2


def test_a_sum_that_was_tampered_with_deviates(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE sums SET spent_nusd = 5 WHERE begins_s = 0")
    result = told(file)
    assert result.exit_code == 1
    assert (
        "DOES NOT ADD UP: the sum of all from 1970-01-01 00:00:00Z is 5, its charges are 14000000"
        in result.output
    )


def test_every_charge_is_checked_against_the_prices_of_a_config(file: Path, tmp_path: Path) -> None:
    right = tmp_path / "failover.yaml"
    right.write_text(yaml.safe_dump(config("gpt")), "utf-8")
    result = told(file, "--config", right)
    assert "and 3 charges are their usage at the prices of the config" in result.output
    dearer = config("gpt")
    dearer["targets"]["gpt"]["prices"] = {"input_usd_per_mtok": 3, "output_usd_per_mtok": 10}
    right.write_text(yaml.safe_dump(dearer), "utf-8")
    result = told(file, "--config", right)
    assert result.exit_code == 1
    assert "charge 1 of gpt is 7000000, its usage costs 8000000" in result.output


def test_a_file_that_is_not_there_and_one_that_is_no_ledger_are_told(tmp_path: Path) -> None:
    nowhere, text = told(tmp_path / "nowhere.db"), tmp_path / "text.db"
    assert (nowhere.exit_code, "there is no ledger" in nowhere.output) == (2, True)
    assert not (tmp_path / "nowhere.db").exists()
    text.write_text("no database " * 100, "utf-8")
    assert (told(text).exit_code, "is no SQLite database" in told(text).output) == (2, True)
    sqlite3.connect(tmp_path / "empty.db").close()
    assert "is empty" in told(tmp_path / "empty.db").output


def test_many_names_are_cut_and_the_rest_counted(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "spend.db")
    for number in range(25):
        found = ledger.reserve((), 1, 5.0, 65.0)
        assert isinstance(found, Reservation)
        ledger.settle(found, charge(number + 1, tenant=f"t{number}"))
    ledger.close()
    assert "and 5 more" in told(ledger.path, "--by", "tenant").output
