"""The audit trail: written before the send, without content, and whatever is done to it shows."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failover import ConfigError, Router
from failover.audit.reading import read_trail
from failover.audit.records import GENESIS, Head, chained
from failover.audit.trail import Trail
from failover.cli import main
from failover.errors import AuditError

ROOT = Path(__file__).parents[2]
SECRET = "the merger with Umbrella"
MOMENT = "2026-11-20T18:00:00.000000Z"


async def fine(**_arguments: Any) -> str:
    return "fine"


async def broken(**_arguments: Any) -> str:
    raise ConnectionError


def config(file: Path, **audit: Any) -> dict[str, Any]:
    terms = {"retention_days": 0, "reviewed": "2026-09-01"}
    return {
        "providers": {"near": {"terms": terms}, "far": {"terms": {"retention_days": 30}}},
        "targets": {
            "near": {"provider": "near", "callable": "near"},
            "spare": {"provider": "near", "callable": "spare"},
            "far": {"provider": "far", "callable": "far"},
        },
        "data_classes": {"public": {}, "unretained": {"require": {"retention_days": 0}}},
        "routes": {"score": {"chain": ["far", "near", "spare"], "data_class": "public"}},
        "audit": {"file": str(file), **audit},
    }


CALLABLES = {"near": broken, "spare": fine, "far": fine}


def asked(router: Router, times: int = 1, **options: Any) -> None:
    async def ask() -> None:
        async with router:
            for _ in range(times):
                await router.acall("score", text=SECRET, **options)

    asyncio.run(ask())


def told(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "audit.jsonl"


def test_each_attempt_is_written_down_with_its_class_and_its_terms_and_no_content(file: Path) -> None:
    asked(Router.from_dict(config(file), CALLABLES), data_class="unretained", tenant="acme")
    opened, *sent = told(file)
    assert opened["kind"] == "opened"
    assert {each["target"] for each in sent} == {"near", "spare"}
    assert [each["attempt"] for each in sent] == [*range(1, len(sent) + 1)]
    for each in sent:
        assert (each["kind"], each["data_class"], each["tenant"]) == ("sent", "unretained", "acme")
        assert each["reviewed"] == "2026-09-01"
        assert len(each["terms_sha256"]) == 64
    assert SECRET not in file.read_text("utf-8")
    assert read_trail(file).broken == ""


def test_a_route_s_class_is_the_one_that_is_written_down(file: Path) -> None:
    asked(Router.from_dict(config(file), CALLABLES))
    assert read_trail(file).seen == {("public", "far"): 1}


def test_it_is_written_before_the_target_is_asked(file: Path) -> None:
    lines = []

    async def looks(**_arguments: Any) -> str:
        lines.append(len(told(file)))
        return "fine"

    asked(Router.from_dict(config(file), {**CALLABLES, "far": looks}))
    assert lines == [2]


def test_sync_calls_are_written_down_too(file: Path) -> None:
    with Router.from_dict(config(file), CALLABLES) as router:
        router.call("score", text=SECRET)
    assert read_trail(file).seen == {("public", "far"): 1}


def test_a_second_run_goes_on_where_the_first_ended(file: Path) -> None:
    for _ in range(2):
        asked(Router.from_dict(config(file), CALLABLES))
    found = read_trail(file)
    assert (found.broken, found.head.records, found.openings) == ("", 4, 2)


def test_two_routers_do_not_share_a_file(file: Path) -> None:
    router = Router.from_dict(config(file), CALLABLES)
    with pytest.raises(ConfigError, match=r"is written by another router.*audit-\{pid\}\.jsonl"):
        Router.from_dict(config(file), CALLABLES)
    asked(router)
    Router.from_dict(config(file), CALLABLES).close()


def test_each_process_may_have_a_file_of_its_own(file: Path) -> None:
    asked(Router.from_dict(config(file.with_name("audit-{pid}.jsonl")), CALLABLES))
    assert read_trail(file.with_name(f"audit-{os.getpid()}.jsonl")).seen == {("public", "far"): 1}


def test_a_reload_keeps_the_file_and_may_name_another(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"

    async def ask() -> None:
        async with Router.from_dict(config(file), CALLABLES) as router:
            router.reload(config(file, durability="disk"))
            await router.acall("score")
            router.reload(config(other))
            await router.acall("score")
            with pytest.raises(ConfigError, match="cannot be opened"):
                router.reload(config(tmp_path / "logs" / "audit.jsonl" / "x.jsonl"))
            await router.acall("score")

    asyncio.run(ask())
    assert (read_trail(file).head.records, read_trail(other).head.records) == (2, 3)


@pytest.mark.parametrize("content", [b"hello\n", b"hello", b'{"record": 1}\n', b"[]\n"])
def test_a_file_that_is_no_trail_is_left_alone(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="is no audit trail"):
        Router.from_dict(config(file), CALLABLES)
    assert file.read_bytes() == content


def test_a_record_that_a_crash_cut_short_is_cut_off_and_that_is_said(file: Path) -> None:
    asked(Router.from_dict(config(file), CALLABLES))
    file.write_bytes(file.read_bytes() + b'{"at":"2026')
    assert "is cut short" in read_trail(file).broken
    asked(Router.from_dict(config(file), CALLABLES))
    found = read_trail(file)
    assert (found.broken, found.torn, found.head.records) == ("", 1, 4)


# A disk that is full.


def full(file: int, line: bytes) -> int:
    os.pwrite(file, line[:7], 0)
    raise OSError(28, "No space left on device")


def test_what_cannot_be_written_down_is_sent_all_the_same_and_counted(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    router = Router.from_dict(config(file), CALLABLES)

    async def ask() -> None:
        async with router:
            await router.acall("score")
            with monkeypatch.context() as patch:
                patch.setattr("failover.audit.trail.os.write", full)
                await router.acall("score")
                await router.acall("score")
            await router.acall("score")

    asyncio.run(ask())
    found = read_trail(file)
    assert (found.broken, found.lost, found.seen) == ("", 2, {("public", "far"): 2})
    [said] = [each.message for each in caplog.records if "audit trail cannot be written" in each.message]
    assert "No space left on device" in said


def test_or_it_is_not_sent_where_the_config_says_so(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reached = []

    async def counted(**_arguments: Any) -> str:
        reached.append(1)
        return "fine"

    router = Router.from_dict(config(file, on_failure="refuse"), {**CALLABLES, "far": counted})

    async def ask() -> None:
        async with router:
            with monkeypatch.context() as patch:
                patch.setattr("failover.audit.trail.os.write", full)
                with pytest.raises(AuditError, match="nothing was sent"):
                    await router.acall("score")
            assert router.snapshot().targets["far"].in_flight == 0
            await router.acall("score")

    asyncio.run(ask())
    assert reached == [1]


def test_a_child_of_a_fork_does_not_write_into_its_parent_s_file(file: Path) -> None:
    trail = Trail(file)
    script = f"import os\ntrail = {trail!r}\n"
    assert script
    trail._pid = -1  # noqa: SLF001  as a child sees it
    assert not trail.is_ours
    with pytest.raises(OSError, match=r"name the file with \{pid\}"):
        trail.append({"kind": "sent"})


# What is done to it shows.


def lines(records: int) -> list[bytes]:
    head, written = Head(), []
    for number in range(records):
        fields = {"kind": "sent", "at": MOMENT, "data_class": "secret", "target": f"t{number % 3}"}
        line, head = chained(head, fields)
        written.append(line)
    return written


def damaged(file: Path, written: list[bytes]) -> str:
    file.write_bytes(b"".join(written))
    return read_trail(file).broken


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data(), records=st.integers(2, 8))
def test_any_change_removal_exchange_or_insertion_shows(
    tmp_path: Path, data: st.DataObject, records: int
) -> None:
    file, written = tmp_path / "audit.jsonl", lines(records)
    assert damaged(file, written) == ""
    place = data.draw(st.integers(0, records - 2))
    changed = written[place].replace(b'"secret"', b'"public"')
    assert f"line {place + 1}: " in damaged(file, [*written[:place], changed, *written[place + 1 :]])
    assert damaged(file, [*written[:place], *written[place + 1 :]])
    exchanged = [*written[:place], written[place + 1], written[place], *written[place + 2 :]]
    assert damaged(file, exchanged)
    assert damaged(file, [*written[: place + 1], written[place], *written[place + 1 :]])
    byte = data.draw(st.integers(0, len(written[place]) - 2))
    flipped = bytes(written[place][:byte] + bytes([written[place][byte] ^ 1]) + written[place][byte + 1 :])
    assert damaged(file, [*written[:place], flipped, *written[place + 1 :]])
    spaced = written[place].replace(b":", b": ", 1)
    assert damaged(file, [*written[:place], spaced, *written[place + 1 :]])


def test_what_is_cut_off_the_end_shows_against_an_anchor(tmp_path: Path) -> None:
    file, written = tmp_path / "audit.jsonl", lines(5)
    file.write_bytes(b"".join(written))
    anchor = str(read_trail(file).head)
    file.write_bytes(b"".join([*written, chained(read_trail(file).head, {"kind": "sent"})[0]]))
    assert read_trail(file, anchor).broken == ""
    file.write_bytes(b"".join(written[:3]))
    assert read_trail(file).broken == ""
    assert "at least 2 were cut off its end" in read_trail(file, anchor).broken


def test_a_trail_that_was_written_anew_shows_against_an_anchor(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b"".join(lines(5)))
    anchor = str(read_trail(file).head)
    line, head = chained(Head(), {"kind": "sent", "target": "other"})
    rest = []
    for _ in range(4):
        each, head = chained(head, {"kind": "sent"})
        rest.append(each)
    file.write_bytes(b"".join([line, *rest]))
    assert read_trail(file).broken == ""
    assert "is not the one that was noted" in read_trail(file, anchor).broken


# On the command line.


def said(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["audit", *arguments])
    return result.exit_code, result.output


def test_the_table_tells_who_saw_what(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b"".join(lines(4)))
    code, output = said(str(file))
    assert code == 0
    assert [line.split() for line in output.splitlines()[1:5]] == [
        ["data", "class", "target", "attempts"],
        *(["secret", "t0", "2"], ["secret", "t1", "1"], ["secret", "t2", "1"]),
    ]
    assert said("show", str(file)) == (code, output)


def test_verify_ends_with_what_to_note_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b"".join(lines(4)))
    code, output = said("verify", str(file))
    anchor = output.splitlines()[-1].removeprefix("its end: ")
    assert code == 0
    assert said("verify", str(file), "--anchor", anchor)[0] == 0
    file.write_bytes(b"".join(lines(3)))
    code, output = said("verify", str(file), "--anchor", anchor)
    assert code == 1
    assert "NOT as it was written" in output


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-file"],
        ["verify", "no-such-file"],
        ["verify", "no-such-file", "--anchor", "yesterday"],
        ["."],
    ],
)
def test_what_cannot_be_read_is_invalid_and_no_traceback(arguments: list[str]) -> None:
    code, output = said(*arguments)
    assert code == 2
    assert "Traceback" not in output


def test_an_empty_file_is_no_evidence(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert said("verify", str(tmp_path / "empty"))[0] == 1
    assert read_trail(tmp_path / "empty").head == Head(0, GENESIS)


def test_another_process_is_refused_while_the_file_is_written(file: Path) -> None:
    trail = Trail(file)
    script = f"from pathlib import Path; from failover.audit.trail import Trail; Trail(Path({str(file)!r}))"
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  our own words
    assert "is written by another router" in result.stderr
    trail.close()
    trail.close()
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0  # noqa: S603  our own words
