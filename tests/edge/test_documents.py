"""Documents: every complaint at once, each on its line, in words for people, whatever the bytes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from failover.documents import (
    Complaints,
    Document,
    Section,
    ending,
    load_document,
    read_document,
    shown,
    validate,
)
from failover.documents.plain import MAX_DEPTH, MAX_VALUES
from failover.documents.reading import MAX_BYTES
from failover.errors import Complaint, ConfigError


class Outage(Section):
    """A branch of a union whose tag is also the name of one of its keys."""

    kind: Literal["outage"]
    at_s: Annotated[float, Field(strict=True, ge=0)]
    outage: Annotated[int, Field(strict=True)] = 0


class PriceChange(Section):
    """Another branch."""

    kind: Literal["price_change", "price_shock"]
    factor: Annotated[float, Field(strict=True, gt=0)]
    as_: str | None = Field(default=None, alias="as")


class Retired(Section):
    """A kind that has shapes of its own."""

    kind: Literal["deprecation"]
    shape: Literal["hard_error"]
    at_s: Annotated[float, Field(strict=True)]


class Moved(Section):
    """Another shape of it, with fixed words that are another branch's name."""

    kind: Literal["deprecation"]
    shape: Literal["redirect"]
    mode: Literal["outage", "quiet"] = "quiet"
    to: str


class Workload(Section):
    """A mapping inside."""

    later = frozenset({"mix"})
    hints = {"rps": "write 'rate_per_s'"}  # noqa: RUF012  as a schema would write it

    rate_per_s: Annotated[float, Field(strict=True, gt=0, le=1000)]
    stream: Annotated[bool, Field(strict=True)] = False
    requests: Annotated[int, Field(strict=True)] = 1
    arrivals: Literal["constant", "poisson"] = "constant"


Deprecation = Annotated[Moved | Retired, Field(discriminator="shape")]
Injection = Annotated[Deprecation | Outage | PriceChange, Field(discriminator="kind")]


class Story(Section):
    """What the tests read."""

    title: Annotated[str, Field(min_length=2, max_length=40)]
    workload: Workload | None = None
    inject: list[Injection] = Field(default_factory=list, max_length=5)
    latencies: dict[str, Annotated[float, Field(strict=True, gt=0)]] = Field(default_factory=dict)
    pair: tuple[Annotated[int, Field(strict=True)], ...] = ()
    sizes: int | list[Annotated[int, Field(strict=True)]] = 0


def complaints_of(source: str | Path | dict[str, object]) -> list[Complaint]:
    with pytest.raises(ConfigError) as caught:
        read_document(source, Story)
    return list(caught.value.complaints)


def only_complaint(source: str | Path | dict[str, object]) -> Complaint:
    (complaint,) = complaints_of(source)
    return complaint


# What a good document becomes.


def test_a_text_becomes_its_model() -> None:
    story = read_document("title: Dark\ninject:\n- {kind: outage, at_s: 3}\n", Story)
    assert story.title == "Dark"
    assert story.inject == [Outage(kind="outage", at_s=3)]


def test_a_file_becomes_its_model(tmp_path: Path) -> None:
    file = tmp_path / "story.yaml"
    file.write_bytes("\N{BYTE ORDER MARK}title: Ünïcode\n".encode())
    assert read_document(file, Story).title == "Ünïcode"


def test_a_mapping_becomes_its_model() -> None:
    story = read_document({"title": "Dark", "inject": ({"kind": "outage", "at_s": 1},)}, Story)
    assert story.inject[0].kind == "outage"


def test_anchors_aliases_and_merges_are_followed() -> None:
    text = """
title: Dark
workload: &base {rate_per_s: 5, stream: true}
inject:
- &one {kind: outage, at_s: 3}
- *one
- {<<: *one, at_s: 4}
- {<<: [{at_s: 5}, *one]}
"""
    story = read_document(text, Story)
    assert [injection.at_s for injection in story.inject if isinstance(injection, Outage)] == [3, 3, 4, 5]


@pytest.mark.parametrize("number", ["1e2", "1E+2", "1.0e+2", "100", "1_00", "100.0"])
def test_a_number_is_read_however_it_is_written(number: str) -> None:
    story = read_document(f"title: Dark\nworkload: {{rate_per_s: {number}}}", Story)
    assert story.workload is not None
    assert story.workload.rate_per_s == 100


def test_a_quoted_number_stays_text() -> None:
    complaint = only_complaint("title: Dark\nworkload: {rate_per_s: '1e2'}")
    assert complaint.what == "must be a number, got '1e2'"


# Where a complaint points.


@pytest.mark.parametrize(
    ("text", "line", "where", "what"),
    [
        pytest.param("inject: []", 1, "", "the key 'title' is missing", id="missing"),
        pytest.param(
            "title: Dark\ntitel: x",
            2,
            "titel",
            "unknown key 'titel'; did you mean 'title'?",
            id="unknown key",
        ),
        pytest.param(
            "title: Dark\nworkload:\n  rate_per_s: 1\n  arivals: x",
            4,
            "workload.arivals",
            "unknown key 'arivals'; did you mean 'arrivals'?",
            id="inside an optional",
        ),
        pytest.param(
            "title: Dark\ninject:\n- kind: outage\n  at_s: 1\n- kind: price_change\n  faktor: 2\n  factor: 3",
            6,
            "inject.1.faktor",
            "unknown key 'faktor'; did you mean 'factor'?",
            id="inside a branch",
        ),
        pytest.param(
            "title: Dark\ninject:\n- kind: outage\n  at_s: 1\n- kind: outage\n  at_s: -1",
            6,
            "inject.1.at_s",
            "must be at least 0, got -1",
            id="a value inside a branch",
        ),
        pytest.param(
            "title: Dark\ninject:\n- kind: outage\n  at_s: 1\n  outage: no",
            5,
            "inject.0.outage",
            "must be a whole number, got false",
            id="a key named like its branch",
        ),
        pytest.param(
            "title: Dark\ninject:\n- kind: price_change\n  factor: 1\n  as: 503",
            5,
            "inject.0.as",
            "must be text, got 503; put it in quotes",
            id="a key that Python would not allow",
        ),
        pytest.param(
            "title: Dark\ninject:\n- kind: outage\n-\n  kind: outrage\n  at_s: 1",
            5,
            "inject.1.kind",
            "unknown value 'outrage'; did you mean 'outage'?",
            id="unknown branch",
        ),
        pytest.param(
            "title: Dark\ninject:\n- at_s: 1", 3, "inject.0", "the key 'kind' is missing", id="no branch"
        ),
        pytest.param(
            "title: Dark\ninject:\n- kind: outage",
            3,
            "inject.0",
            "the key 'at_s' is missing",
            id="missing in a branch",
        ),
        pytest.param(
            "title: Dark\ninject:\n- kind: deprecation\n  shape: redirect\n  to: x\n  too: y",
            6,
            "inject.0.too",
            "unknown key 'too'; did you mean 'to'?",
            id="inside a branch of a branch",
        ),
        pytest.param(
            "title: Dark\ninject:\n- kind: deprecation\n  shape: hard_eror\n  at_s: 1",
            4,
            "inject.0.shape",
            "unknown value 'hard_eror'; did you mean 'hard_error'?",
            id="unknown branch of a branch",
        ),
        pytest.param(
            "title: Dark\npair:\n- 1\n- x", 4, "pair.1", "must be a whole number, got 'x'", id="in a tuple"
        ),
        pytest.param(
            "title: Dark\nsizes:\n- 1\n- x",
            4,
            "sizes.1",
            "must be a whole number, got 'x'",
            id="in any union",
        ),
        pytest.param(
            "title: Dark\ninject:\n- {kind: outage, at_s: 1}\n- 5",
            4,
            "inject.1",
            "must be a mapping, got 5",
            id="a scalar for a mapping in a list",
        ),
        pytest.param(
            "title: Dark\nworkload:\n- 1", 2, "workload", "must be a mapping, got a list", id="a list"
        ),
        pytest.param("title: Dark\nworkload: 7", 2, "workload", "must be a mapping, got 7", id="a scalar"),
        pytest.param("- title", 1, "", "must be a mapping, got a list", id="a list on top"),
        pytest.param("title", 1, "", "must be a mapping, got 'title'", id="a scalar on top"),
        pytest.param("title: Dark\ninject: {}", 2, "inject", "must be a list, got a mapping", id="no list"),
        pytest.param(
            "title: Dark\nlatencies:\n  gpt: 1\n  claude: 0",
            4,
            "latencies.claude",
            "must be greater than 0, got 0",
            id="in a mapping of names",
        ),
    ],
)
def test_a_complaint_names_line_place_and_remedy(text: str, line: int, where: str, what: str) -> None:
    assert Complaint("<text>", line, where, what) in complaints_of(text)


@pytest.mark.parametrize(
    ("workload", "what"),
    [
        ("{rate_per_s: 0}", "must be greater than 0, got 0"),
        ("{rate_per_s: 1000.5}", "must be at most 1000, got 1000.5"),
        ("{rate_per_s: .inf}", "must be a finite number, got inf"),
        ("{rate_per_s: .nan}", "must be a finite number, got nan"),
        ("{rate_per_s: true}", "must be a number, got true"),
        ("{rate_per_s: }", "must be a number, got nothing"),
        ("{rate_per_s: [1]}", "must be a number, got a list"),
        ("{rate_per_s: 2026-01-31}", "must be a number, got the date 2026-01-31"),
        ("{rate_per_s: 1, requests: 1.5}", "must be a whole number, got 1.5"),
        ("{rate_per_s: 1, stream: maybe}", "must be true or false, got 'maybe'"),
        ("{rate_per_s: 1, arrivals: poison}", "unknown value 'poison'; did you mean 'poisson'?"),
        ("{rate_per_s: 1, arrivals: 9}", "unknown value 9; known: constant, poisson"),
        ("{rate_per_s: 1, mix: []}", "'mix' is not supported yet in this version"),
        ("{rate_per_s: 1, rps: 1}", "unknown key 'rps'; write 'rate_per_s'"),
        ("{rate_per_s: 1, qqq: 1}", "unknown key 'qqq'; known: rate_per_s, stream, requests, arrivals"),
    ],
)
def test_a_complaint_is_worded_for_people(workload: str, what: str) -> None:
    assert only_complaint(f"title: Dark\nworkload: {workload}").what == what


@pytest.mark.parametrize(
    ("title", "what"),
    [
        ("''", "must have at least 2 characters, got nothing"),
        ("x", "must have at least 2 characters, got 1"),
        ("x" * 41, "must have at most 40 characters, got 41"),
        ("no", "must be text, got false; put it in quotes"),
        ("12", "must be text, got 12; put it in quotes"),
    ],
)
def test_a_text_of_the_wrong_kind_or_length_is_told(title: str, what: str) -> None:
    assert only_complaint(f"title: {title}").what == what


def test_a_list_of_the_wrong_length_is_told() -> None:
    items = "- {kind: outage, at_s: 1}\n" * 6
    assert only_complaint(f"title: Dark\ninject:\n{items}").what == "must have at most 5 entries, got 6"


def test_every_complaint_comes_at_once_in_the_order_of_lines() -> None:
    text = "titel: Dark\nworkload: {rate_per_s: -1}\ninject:\n- {kind: outrage}\nlatencies: []\n"
    assert [(complaint.line, complaint.where) for complaint in complaints_of(text)] == [
        (1, ""),
        (1, "titel"),
        (2, "workload.rate_per_s"),
        (4, "inject.0.kind"),
        (5, "latencies"),
    ]


def test_nothing_of_the_validator_shows() -> None:
    message = str(ConfigError(complaints_of("workload: {rate_per_s: x, stream: 3, y: 1}\ninject: [[], {}]")))
    assert "pydantic" not in message
    assert "http" not in message
    assert "Input" not in message


def test_a_mapping_complains_without_lines() -> None:
    complaint = only_complaint({"title": "Dark", "workload": {"rate_per_s": -3}})
    assert str(complaint) == "<dict>: workload.rate_per_s: must be greater than 0, got -3"


# What is no document.


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b"title: caf\xe9\n", 1, "is not UTF-8: save the file in that encoding"),
        (b"title: x\n\nother: \xff\n", 3, "is not UTF-8: save the file in that encoding"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 0, "is not a text file in UTF-8"),
        ("title: Dark\n".encode("utf-16"), 0, "is not a text file in UTF-8"),
        (b"title: Dark\nx: \x01\n", 2, "is not plain text: it holds control characters"),
        (b"", 0, "is empty"),
        (b"# nothing but a remark\n", 0, "is empty"),
        (b"#" * (MAX_BYTES + 1), 0, "is larger than 8 MB"),
    ],
)
def test_what_is_no_text_is_said_to_be_none(tmp_path: Path, content: bytes, line: int, what: str) -> None:
    file = tmp_path / "story.yaml"
    file.write_bytes(content)
    assert only_complaint(file) == Complaint(str(file), line, "", what)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("title: Dark\n\tx: 1\n", 2, "is not valid YAML: a tab where YAML takes only spaces"),
        ("workload:\n\t- 1\n", 2, "is not valid YAML: a tab where YAML takes only spaces"),
        ("a: b: c", 1, "is not valid YAML: a ':' where none can be; put text that holds ': ' in quotes"),
        ("a: [1, 2", 1, "is not valid YAML: a '[' that is not closed, or a ',' is missing"),
        ("a: {b: 1", 1, "is not valid YAML: a '{' that is not closed, or a ',' is missing"),
        ("a: 'x", 1, "is not valid YAML: a quote that is not closed"),
        ("a: @x", 1, "is not valid YAML: a character that needs quotes around the text"),
        ("a: !u!x 1", 1, "is not valid YAML: YAML tags such as '!name' are not supported"),
        ("%YAML 3.0\n---\na: 1", 1, "is not valid YAML: found incompatible YAML document"),
        ("a: *x", 1, "is not valid YAML: an alias (*name) of something that no anchor (&name) names"),
        ("a: 1\n---\nb: 2\n", 2, "holds several YAML documents ('---'); write one file for each"),
    ],
)
def test_broken_yaml_is_explained(text: str, line: int, what: str) -> None:
    complaint = only_complaint(text)
    assert complaint.what == what
    assert abs(complaint.line - line) <= 1  # an open bracket is noticed where the text ends


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    assert only_complaint(tmp_path / "none.yaml").what == "there is no such file"


def test_a_folder_is_said_to_be_one(tmp_path: Path) -> None:
    assert only_complaint(tmp_path).what == "is a folder, not a file"


def test_a_path_the_system_refuses_is_no_crash() -> None:
    assert only_complaint(Path("x" * 5000)).what == "cannot be read"
    assert only_complaint(Path("a\0b")).what == "cannot be read"


def test_a_forbidden_file_is_said_to_be_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "open", forbidden)
    assert only_complaint(Path("story.yaml")).what == "may not be read: permission denied"


def test_a_key_that_stands_twice_names_both_lines() -> None:
    complaint = only_complaint("title: Dark\ninject: []\ntitle: Bright\n")
    assert complaint == Complaint(
        "<text>", 3, "title", "the key 'title' stands twice: on line 1 and on line 3"
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("title: Dark\n1: x", "a key must be text: write '1' in quotes"),
        ("title: Dark\nno: x", "a key must be text: write 'no' in quotes"),
        ("title: Dark\n? [a]\n: x", "a key must be text, not a list or a mapping"),
        ("title: !secret Dark", "YAML tags such as '!name' are not supported"),
        (
            "title: Dark\nworkload: !!python/object:x {rate_per_s: 1}",
            "YAML tags such as '!name' are not supported",
        ),
        ("title: Dark\ninject: !!set {}", "YAML tags such as '!name' are not supported"),
        ("title: Dark\nworkload: {rate_per_s: !!int x}", "'x' is not a valid int"),
        ("title: 2026-02-30", "'2026-02-30' is not a valid date"),
        ("title: =", "must have at least 2 characters, got 1"),
        ("title: Dark\n<<: 5", "'<<' takes a mapping or a list of them"),
    ],
)
def test_what_yaml_allows_and_a_document_does_not_is_refused(text: str, what: str) -> None:
    assert what in [complaint.what for complaint in complaints_of(text)]


def test_a_number_of_thousands_of_digits_is_no_crash() -> None:
    assert complaints_of(f"title: Dark\nworkload: {{rate_per_s: {'9' * 5000}}}")
    assert complaints_of({"title": "Dark", "workload": {"rate_per_s": 10**5000, "requests": "x"}})


def test_an_alias_that_contains_itself_is_refused() -> None:
    assert only_complaint("title: Dark\ninject: &a\n- *a\n").what == "an alias leads back to what contains it"


def test_an_alias_bomb_stops_early() -> None:
    levels = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 12)]
    text = "a0: &a0 [x, x]\n" + "\n".join(levels)
    assert only_complaint(text).what == f"holds more than {MAX_VALUES} values once its aliases are expanded"


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_bottomless_nesting_is_refused(opening: str) -> None:
    assert only_complaint(opening * 50_000).what == f"is nested deeper than {MAX_DEPTH} levels"


def test_nesting_through_aliases_is_bounded_too() -> None:
    text = "a0: &a0 x\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 2 * MAX_DEPTH))
    assert only_complaint(text).what == f"is nested deeper than {MAX_DEPTH} levels"


def test_a_long_list_is_bounded() -> None:
    assert only_complaint("- x\n" * (3 * MAX_VALUES + 1)).what == f"holds more than {MAX_VALUES} values"
    assert only_complaint({"title": ["x"] * MAX_VALUES}).what == f"holds more than {MAX_VALUES} values"


def test_a_mapping_that_contains_itself_is_refused() -> None:
    loop: dict[str, object] = {"title": "Dark"}
    loop["inject"] = [loop]
    assert "contains itself" in only_complaint(loop).what


def test_a_mapping_takes_only_text_for_keys() -> None:
    assert "a key must be text, got 5" in [complaint.what for complaint in complaints_of({5: 1})]  # type: ignore[dict-item]  # wrong on purpose


def test_any_pydantic_model_may_be_read() -> None:
    class Plain(BaseModel, extra="forbid"):
        when: dt.time | None = None
        point: tuple[int, str] = (0, "")

    with pytest.raises(ConfigError) as caught:
        read_document("when: never\nwhe: x\npoint: [1, []]\n", Plain)
    assert [str(complaint) for complaint in caught.value.complaints] == [
        "<text>:1: when: is not valid, got 'never'",
        "<text>:2: whe: unknown key 'whe'; did you mean 'when'?",
        "<text>:3: point.1: must be text, got a list",
    ]


# Checks of one's own, over several documents.


def test_checks_run_on_what_is_left_without_the_errors() -> None:
    def check(story: Story, document: Document, complaints: Complaints) -> None:
        assert story.workload is not None
        assert story.workload.rate_per_s == 1
        assert document.names("latencies") == ("gpt", "claude")
        complaints.add(document, ("inject", 0, "at_s"), "is before the steady state ends")

    text = (
        "title: Dark\nworkload: {rate_per_s: 1, x: 1}\ninject:\n- kind: outage\n  at_s: 1\n- 5\n"
        "latencies: {gpt: x, claude: 1}\n"
    )
    with pytest.raises(ConfigError) as caught:
        read_document(text, Story, check)
    assert [(complaint.line, complaint.where) for complaint in caught.value.complaints] == [
        (2, "workload.x"),
        (5, "inject.0.at_s"),
        (6, "inject.1"),
        (7, "latencies.gpt"),
    ]


def test_checks_do_not_run_when_nothing_usable_is_left() -> None:
    def check(_story: Story, _document: Document, _complaints: Complaints) -> None:
        pytest.fail("there is no story")

    with pytest.raises(ConfigError):
        read_document("workload: {}", Story, check)


def test_several_documents_complain_together() -> None:
    complaints = Complaints()
    for file, text in {"b.yaml": "title: Dark\nx: 1", "a.yaml": "titel: Dark"}.items():
        document = load_document(text, complaints, file=file)
        assert document is not None
        validate(document, Story, complaints)
    with pytest.raises(ConfigError) as caught:
        complaints.raise_if_any()
    assert [complaint.file for complaint in caught.value.complaints] == ["b.yaml", "a.yaml", "a.yaml"]


def test_without_complaints_nothing_is_raised() -> None:
    Complaints().raise_if_any()


def test_a_place_that_is_not_there_has_the_line_around_it() -> None:
    document = load_document("title: Dark\ninject:\n- kind: outage\n", Complaints())
    assert document is not None
    assert document.line(("inject", 0, "at_s")) == 3
    assert document.line(("nowhere",)) == 1
    assert document.at(("inject", 0, "kind")) == "outage"
    assert document.at(("inject", 7)) is None
    assert document.at(("inject", -1)) is None


def test_a_check_can_tell_what_is_in_error_already() -> None:
    document, complaints = Document("x", {}), Complaints()
    complaints.add(document, ("routes", "chat", "policy"), "is wrong")
    assert complaints.blames(document, ("routes", "chat", "policy", "deadline_s"))
    assert complaints.blames(document, ("routes", "chat"))
    assert not complaints.blames(document, ("routes", "other"))
    assert not complaints.blames(Document("y", {}), ("routes", "chat"))


def test_the_same_complaint_is_made_once() -> None:
    document, complaints = Document("x", {}), Complaints()
    complaints.add(document, (), "is wrong")
    complaints.add(document, (), "is wrong")
    assert len(complaints.found()) == 1


# What a message may quote.


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing"),
        (True, "true"),
        (-3, "-3"),
        (0.5, "0.5"),
        ("x", "'x'"),
        ("two\nlines", "'two\\nlines'"),
        ("x" * 99, f"'{'x' * 60}...'"),
        (10**30, "a very large number"),
        (dt.date(2026, 1, 31), "the date 2026-01-31"),
        ({"a": 1}, "a mapping"),
        ([1], "a list"),
        (object(), "an object of type object"),
    ],
)
def test_a_value_is_quoted_shortly_and_on_one_line(value: object, words: str) -> None:
    assert shown(value) == words


@pytest.mark.parametrize(
    "prefix", ["sk-", "sk-ant-", "gsk_", "AIza", "xai-", "hf_", "Bearer ", "eyJ", "AKIA"]
)
def test_what_looks_like_a_credential_is_never_quoted(prefix: str) -> None:
    secret = prefix + "q7" * 12
    assert secret not in shown(secret)
    for complaint in complaints_of({"title": [secret], secret: secret, "workload": {"arrivals": secret}}):
        assert secret not in str(complaint)


@pytest.mark.parametrize("value", ["f3" * 20, "https://user:pass@host/", "token " + "f3" * 16])
def test_long_random_text_is_taken_for_a_credential(value: str) -> None:
    assert shown(value) == "a text that may be a credential (not shown)"


@pytest.mark.parametrize("name", ["task-one", "openai/gpt-5.6-luna", "anthropic/claude-3-5-sonnet-20241022"])
def test_ordinary_names_are_quoted(name: str) -> None:
    assert shown(name) == f"'{name}'"


@pytest.mark.parametrize(
    ("word", "valid", "words"),
    [
        ("claud", ["gpt", "claude"], "; did you mean 'claude'?"),
        ("GPT", ["gpt", "claude"], "; did you mean 'gpt'?"),
        ("zzz", ["gpt", "claude"], "; known: gpt, claude"),
        (7, ["gpt"], "; known: gpt"),
        ("x", [], ""),
        ("zzz", [f"name{n}" for n in range(20)], " and 6 more"),
    ],
)
def test_the_nearest_valid_word_is_offered(word: object, valid: list[str], words: str) -> None:
    assert ending(word, valid).endswith(words)


# Whatever comes.

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.binary()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | SCALARS, inner, max_size=4)
    ),
    max_leaves=20,
)
STORIES = st.fixed_dictionaries(
    {},
    optional={
        "title": VALUES,
        "workload": VALUES | st.fixed_dictionaries({"rate_per_s": VALUES, "arrivals": VALUES}),
        "inject": VALUES
        | st.lists(st.fixed_dictionaries({"kind": VALUES | st.just("outage"), "at_s": VALUES})),
        "latencies": VALUES,
    },
)


def outcome_of(source: str | Path | dict[str, object]) -> Story | tuple[Complaint, ...]:
    try:
        return read_document(source, Story)
    except ConfigError as error:
        return error.complaints


@given(STORIES | VALUES.filter(lambda value: isinstance(value, dict)))
@example({"title": "\ud800", "inject": [{"kind": "\ud800"}], "\ud800": 1})
def test_any_mapping_gives_a_model_or_complaints(value: dict[str, object]) -> None:
    outcome = outcome_of(value)
    assert outcome
    assert isinstance(outcome, Story) or "\n".join(map(str, outcome)).encode()


@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"#%@\t\n ?,<0."), max_size=60))
def test_any_text_gives_a_model_or_complaints(text: str) -> None:
    assert outcome_of(text)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_model_or_complaints(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.mktemp("any") / "story.yaml"
    file.write_bytes(content)
    assert outcome_of(file)
