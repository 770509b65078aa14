"""Any vcrpy cassette loads into episodes, and what is none is refused with its place."""

from __future__ import annotations

import base64
import contextlib
import csv
import gzip
import json
import os
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from failover.cassettes import bodies
from failover.cassettes.bodies import UnreadableBodyError, body_bytes, decompressed
from failover.cassettes.dialects import endpoint_of, is_streamed, model_of, provider_of, without_credentials
from failover.cassettes.episodes import load_cassette, load_folder
from failover.cassettes.file_shapes import UnreadableFileError, recordings_in
from failover.cassettes.timing import Timing
from failover.errors import CassetteError

RECORDED = Path(__file__).parents[2].parent / "shared" / "real-cassettes"
CHAT = "https://api.openai.com/v1/chat/completions"


def exchange(*, url=CHAT, sent=None, status=200, headers=None, body='{"ok": true}', **extra):
    request = {
        "method": "POST",
        "uri": url,
        "headers": {"Accept": ["*/*"]},
        "body": sent or '{"model": "gpt-4o"}',
    }
    response = {
        "status": {"code": status, "message": "x"},
        "headers": headers or {},
        "body": {"string": body},
        **extra,
    }
    return {"request": request, "response": response}


def written(folder, *exchanges, name="a.yaml"):
    document = {"interactions": list(exchanges), "version": 1}
    text = json.dumps(document) if name.endswith(".json") else yaml.safe_dump(document)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def complaint(path):
    with pytest.raises(CassetteError) as caught:
        load_folder(path)
    return str(caught.value)


# --- recorded exchanges -----------------------------------------------------------------------------------


def test_every_recorded_exchange_is_read_as_its_index_says():
    if not RECORDED.is_dir():
        pytest.skip("the recorded exchanges are not beside this repository")
    with (RECORDED / "interactions.csv").open(newline="") as file:
        index = {(row["file"], int(row["n"])): row for row in csv.DictReader(file)}
    loaded = {(each.file, each.n): each for each in load_folder(RECORDED)}
    assert loaded.keys() == index.keys()
    for key, row in index.items():
        each = loaded[key]
        told = (each.provider, each.endpoint, str(each.stream), str(each.reply.status))
        assert told == (row["provider"], row["endpoint"], row["stream"], row["status"]), key
    same = [key for key, row in index.items() if loaded[key].model == row["model"].replace("%3A", ":")]
    assert len(same) >= len(index) - 2


# --- files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.yaml", "a.yml", "a.json", "deep/er/a.yaml"])
def test_yaml_and_json_are_read_at_any_depth(tmp_path, name):
    written(tmp_path, exchange(), exchange(status=429), name=name)
    first, second = load_folder(tmp_path)
    assert (first.file, first.n, first.reply.status) == (name, 0, 200)
    assert (second.n, second.reply.status) == (1, 429)


def test_a_file_is_named_by_itself(tmp_path):
    assert load_cassette(written(tmp_path, exchange()))[0].file == "a.yaml"


def test_episodes_come_sorted_by_file(tmp_path):
    for name in ("b.yaml", "a.json", "c/a.yaml"):
        written(tmp_path, exchange(), name=name)
    assert [each.file for each in load_folder(tmp_path)] == ["a.json", "b.yaml", "c/a.yaml"]


def test_other_suffixes_are_no_cassettes(tmp_path):
    written(tmp_path, exchange())
    (tmp_path / "index.csv").write_text("file,n\n")
    assert len(load_folder(tmp_path)) == 1


def test_every_problem_of_every_file_is_told_at_once(tmp_path):
    (tmp_path / "a.yaml").write_text("interactions: [")
    (tmp_path / "b.json").write_text('{"interactions": [\n')
    (tmp_path / "c.yaml").write_bytes(b"\x89PNG\xff\x00")
    written(tmp_path, exchange(), exchange(status=0), name="d.yaml")
    lines = complaint(tmp_path).splitlines()
    assert [line.partition(":")[0].rpartition("/")[2] for line in lines] == [
        "a.yaml",
        "b.json",
        "c.yaml",
        "d.yaml",
    ]
    assert "interactions[1]" in lines[3]


NOT_CASSETTES = [
    b"",
    b"   \n",
    b"\xff\xfe\x00\x01",
    b"\x00\x00",
    b"just words",
    b"a: b",
    b"- 1\n- 2",
    b"interactions: 3",
    b"interactions: [3]",
    b"interactions:\n- request: {}\n",
    b"interactions: [",
    b"a: 'cut",
    b"&a [*a]",
    b"interactions: !!python/object/apply:os.system ['true']",
    b"interactions: 2024-99-99",
    b"{" * 3000,
    b"interactions:\n- request: {uri: x}\n  response: {status: {code: 4}}\n",
    b"interactions:\n- request: {uri: x}\n  response: {}\n",
    b"interactions:\n- request: {}\n  response: {status: {code: 200}}\n",
    b"interactions:\n- request: {uri: x, headers: 3}\n  response: {status: {code: 200}}\n",
    b"interactions:\n- request: {uri: x}\n  response: {status: {code: 200}, body: {base64_string: '?'}}\n",
]


@pytest.mark.parametrize("content", NOT_CASSETTES)
def test_what_is_no_cassette_is_refused_with_its_name(tmp_path, content):
    (tmp_path / "a.yaml").write_bytes(content)
    assert "a.yaml" in complaint(tmp_path)


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
def test_a_cassette_cut_anywhere_is_refused_or_whole_as_far_as_it_goes(tmp_path, name):
    """Never a traceback, never half an exchange."""
    whole = written(tmp_path, exchange(), exchange(status=503), exchange(status=404), name=name)
    content = whole.read_bytes()
    statuses = [each.reply.status for each in load_folder(whole)]
    for at in range(1, len(content) - 1, 3):
        whole.write_bytes(content[:at])
        with contextlib.suppress(CassetteError):
            kept = load_folder(whole)
            assert [each.reply.status for each in kept] == statuses[: len(kept)]


def test_a_file_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    def refused(_):
        raise OSError(13, "Permission denied")

    written(tmp_path, exchange())
    monkeypatch.setattr(Path, "read_bytes", refused)
    assert "cannot be read: Permission denied" in complaint(tmp_path)


def test_a_link_that_leads_in_a_ring_is_refused(tmp_path):
    (tmp_path / "a.yaml").symlink_to(tmp_path / "b.yaml")
    (tmp_path / "b.yaml").symlink_to(tmp_path / "a.yaml")
    assert len(complaint(tmp_path).splitlines()) == 2


def test_headers_may_be_pairs(tmp_path):
    found = exchange(headers=[["Retry-After", "7"], ["X", "a"], ["x", "b"]])
    assert load_folder(written(tmp_path, found))[0].reply.headers == {"retry-after": "7", "x": "a, b"}


def test_a_complaint_names_the_line(tmp_path):
    path = written(tmp_path, exchange(), exchange())
    path.write_text(path.read_text() + "\n: :\n  - [")
    assert f"{path}:{len(path.read_text().splitlines()) - 1}:" in complaint(path)
    written(tmp_path, exchange(), exchange(status="x"))
    assert f"{path}:" in complaint(path)
    assert "interactions[1]" in complaint(path)


def test_a_complaint_never_quotes_the_content(tmp_path):
    (tmp_path / "a.yaml").write_text("interactions:\n- request: {uri: 'my secret\n")
    assert "secret" not in complaint(tmp_path)


def test_a_missing_path_is_told(tmp_path):
    assert "no such file" in complaint(tmp_path / "nowhere")
    with pytest.raises(CassetteError, match="is a folder"):
        load_cassette(tmp_path)


def test_links_out_of_the_folder_are_refused(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    secret = written(outside, exchange())
    written(inside, exchange())
    (inside / "b.yaml").symlink_to(secret)
    assert "link out of the folder" in complaint(inside)
    (inside / "b.yaml").unlink()
    (inside / "folder").symlink_to(outside)
    assert "link out of the folder" in complaint(inside)


def test_links_within_the_folder_are_followed(tmp_path):
    (tmp_path / "b.yaml").symlink_to(written(tmp_path, exchange()))
    assert len(load_folder(tmp_path)) == 2


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.yaml")
    assert "not a regular file" in complaint(tmp_path)


def test_a_file_beyond_the_bound_is_not_read(tmp_path):
    path = tmp_path / "a.yaml"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    assert "larger than 64 MB" in complaint(path)


def test_aliases_cannot_unfold_without_bound(tmp_path):
    layers = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12))
    (tmp_path / "a.yaml").write_text(f"l0: &l0 word\n{layers}\ninteractions: []\n")
    assert "aliases" in complaint(tmp_path)


def test_aliases_as_recorders_write_them_are_read(tmp_path):
    request, response = "{uri: x, headers: &h {A: [b]}}", "{status: {code: 200}, headers: *h}"
    (tmp_path / "a.yaml").write_text(f"interactions:\n- request: {request}\n  response: {response}\n")
    assert load_folder(tmp_path)[0].reply.headers == {"a": "b"}


# --- other recorders --------------------------------------------------------------------------------------


def test_a_cassette_of_go_vcr_is_read(tmp_path):
    response = {"body": "hello", "headers": {"Content-Type": ["text/plain"]}, "status": "200 OK", "code": 200}
    document = {
        "version": 2,
        "interactions": [
            {
                "request": {"body": "", "url": CHAT, "method": "POST"},
                "response": {**response, "duration": "1.5s"},
            }
        ],
    }
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(document))
    found = load_folder(tmp_path)[0]
    assert (found.reply.status, found.reply.body, found.timing) == (200, b"hello", Timing(total_s=1.5))


def test_a_status_line_alone_will_do(tmp_path):
    whole = exchange()
    whole["response"]["status"] = "429 Too Many Requests"
    assert load_folder(written(tmp_path, whole))[0].reply.status == 429


def test_a_cassette_of_rubys_vcr_is_read(tmp_path):
    whole = exchange()
    whole["response"]["body"] = {
        "encoding": "ASCII-8BIT",
        "base64_string": base64.b64encode(b"\xff").decode(),
    }
    (tmp_path / "a.yml").write_text(yaml.safe_dump({"http_interactions": [whole], "recorded_with": "VCR"}))
    assert load_folder(tmp_path)[0].reply.body == b"\xff"


def test_text_tagged_by_an_old_python_is_text(tmp_path):
    path = written(tmp_path, exchange())
    path.write_text(path.read_text().replace("uri: ", "uri: !!python/unicode "))
    assert load_folder(path)[0].provider == "openai"


@pytest.mark.parametrize(
    ("side", "body"),
    [
        ({"body": "text"}, b"text"),
        ({"body": {"string": "text"}}, b"text"),
        ({"body": {"string": b"\xff"}}, b"\xff"),
        ({"body": b"\xff"}, b"\xff"),
        ({"body": {"base64_string": "/w==\n"}}, b"\xff"),
        ({"body": {"encoding": "base64", "string": "/w=="}}, b"\xff"),
        ({"body": {"encoding": "UTF-8", "string": "t"}}, b"t"),
        ({"body": {"encoding": "UTF-8"}}, b""),
        ({"body": {"model": "m"}}, b'{"model": "m"}'),
        ({"body": [1]}, b"[1]"),
        ({"body": 17}, b"17"),
        ({"parsed_body": {"a": 1}}, b'{"a": 1}'),
        ({"body": None}, b""),
        ({}, b""),
    ],
)
def test_a_body_is_bytes_however_it_was_kept(side, body):
    assert body_bytes(side) == body


def test_headers_may_be_lists_or_text(tmp_path):
    headers = {"Retry-After": "7", "Set-Cookie": ["a", "b"], "X": [], "Y": None}
    found = load_folder(written(tmp_path, exchange(headers=headers)))[0].reply.headers
    assert found == {"retry-after": "7", "set-cookie": "a, b", "x": "", "y": ""}


def test_credentials_are_left_out_of_the_request(tmp_path):
    whole = exchange(url="https://me:pw@api.openai.com/v1/x?key=secret&alt=sse")
    whole["request"]["headers"] = {"Authorization": ["secret"], "X-Api-Key": "secret", "Accept": "*/*"}
    request = load_folder(written(tmp_path, whole))[0].request
    assert request.headers == {"accept": "*/*"}
    assert request.url == "https://api.openai.com/v1/x?alt=sse"


# --- compression ------------------------------------------------------------------------------------------

RAW = zlib.compressobj(wbits=-15)


@pytest.mark.parametrize(
    ("body", "encodings"),
    [
        (b"plain text", ""),
        (b"plain text", "gzip"),
        (b"plain text", "deflate"),
        (b"plain text", "br"),
        (b"plain text", "identity"),
        (gzip.compress(b"plain text"), "gzip"),
        (gzip.compress(b"plain ") + gzip.compress(b"text"), "gzip"),
        (gzip.compress(gzip.compress(b"plain text")), "gzip, gzip"),
        (zlib.compress(b"plain text"), "deflate"),
        (RAW.compress(b"plain text") + RAW.flush(), "deflate"),
    ],
    # Compressed bytes hold the time, and names must be the same in every worker.
    ids=["none", "false", "no", "br", "identity", "one", "two members", "twice", "zlib", "raw"],
)
def test_a_compressed_body_is_inflated_and_a_plain_one_left_alone(body, encodings):
    assert decompressed(body, encodings) == b"plain text"


def test_the_reply_no_longer_claims_to_be_compressed(tmp_path):
    found = exchange(headers={"Content-Encoding": ["gzip"]}, body=gzip.compress(b'{"a": 1}'))
    reply = load_folder(written(tmp_path, found))[0].reply
    assert (reply.body, dict(reply.headers)) == (b'{"a": 1}', {})


def test_a_small_body_cannot_inflate_without_bound():
    bomb = gzip.compress(bytes(40 * 1024 * 1024))
    assert len(bomb) < 100_000
    with pytest.raises(UnreadableBodyError, match="32 MB"):
        decompressed(bomb, "gzip")
    with pytest.raises(UnreadableBodyError, match="32 MB"):
        decompressed(gzip.compress(bomb), "gzip, gzip")


@pytest.mark.parametrize(("body", "encoding"), [(b"\x1f\x8b\xff\xff", "gzip"), (b"\xff\xfe\xfd", "deflate")])
def test_a_damaged_body_is_refused(body, encoding):
    with pytest.raises(UnreadableBodyError):
        decompressed(body, encoding)


def test_a_compression_without_its_library_names_the_library(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(bodies.importlib, "import_module", missing)
    with pytest.raises(UnreadableBodyError, match="install `brotli`"):
        decompressed(b"\x8b\x02\x80\xff", "br")


def library(inflate):
    """A stand-in for a compression library that is not installed here."""
    return SimpleNamespace(Decompressor=lambda: SimpleNamespace(process=inflate))


def test_a_library_is_fed_in_steps_within_the_bound(monkeypatch):
    monkeypatch.setattr(bodies.importlib, "import_module", lambda _: library(bytes.upper))
    assert decompressed(b"\xffabc" * 1000, "br") == b"\xffABC" * 1000
    monkeypatch.setattr(
        bodies.importlib, "import_module", lambda _: library(lambda _: bytes(33 * 1024 * 1024))
    )
    with pytest.raises(UnreadableBodyError, match="32 MB"):
        decompressed(b"\xffabc", "br")


def test_what_a_library_finds_damaged_is_refused(monkeypatch):
    def damaged(_):
        raise RuntimeError("brotli's own error")

    monkeypatch.setattr(bodies.importlib, "import_module", lambda _: library(damaged))
    with pytest.raises(UnreadableBodyError, match="damaged"):
        decompressed(b"\xffabc", "br")


# --- dialects ---------------------------------------------------------------------------------------------

DIALECTS = [
    (CHAT, "openai", "chat.completions"),
    ("https://api.anthropic.com/v1/messages?beta=true", "anthropic", "messages"),
    ("https://x.openai.azure.com/openai/deployments/d/chat/completions", "azure-openai", "chat.completions"),
    ("https://gateway.corp/openai/deployments/d/embeddings", "azure-openai", "embeddings"),
    (
        "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/google/models/g:generateContent",
        "google-vertex",
        "generateContent",
    ),
    (
        "https://generativelanguage.googleapis.com/v1beta/models/g:streamGenerateContent",
        "google-gemini",
        "streamGenerateContent",
    ),
    ("https://bedrock-runtime.eu-west-1.amazonaws.com/model/a.b-v1%3A0/converse", "bedrock", "converse"),
    (
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/a.b-v1:0/converse-stream",
        "bedrock",
        "converse-stream",
    ),
    ("https://api.cohere.com/v2/chat", "cohere", "chat"),
    ("https://api.groq.com/openai/v1/chat/completions", "groq", "chat.completions"),
    ("http://localhost:11434/api/chat", "ollama", "ollama.chat"),
    ("http://127.0.0.1:8000/anthropic/v1/messages", "anthropic", "messages"),
    ("http://127.0.0.1:8000/gemini/v1beta/models/g:generateContent", "google-gemini", "generateContent"),
    ("http://127.0.0.1:8000/groq/v1/chat/completions", "groq", "chat.completions"),
    ("http://localhost:8000/v1/messages", "anthropic", "messages"),
    ("http://localhost:8000/v1/chat/completions", "openai", "chat.completions"),
    ("https://api.newcomer.ai/v1/chat/completions", "newcomer", "chat.completions"),
    ("https://evil-openai.com.example/v1/chat/completions", "com", "chat.completions"),
    ("http://[::1", "unknown", ""),
    ("", "unknown", ""),
]


@pytest.mark.parametrize(("url", "provider", "endpoint"), DIALECTS)
def test_an_address_names_provider_and_endpoint(url, provider, endpoint):
    assert (provider_of(url, endpoint_of(url)), endpoint_of(url)) == (provider, endpoint)


@pytest.mark.parametrize(
    ("url", "asked", "answered", "model"),
    [
        (CHAT, {"model": "gpt-4o"}, b'{"model": "gpt-4o-2024"}', "gpt-4o"),
        ("https://h/model/us.a.b-v1%3A0/converse", {}, b"", "us.a.b-v1:0"),
        ("https://h/v1beta/models/gemini-2.0-flash:generateContent", None, b"", "gemini-2.0-flash"),
        ("https://h/openai/deployments/mine/chat/completions", {}, b'{"model": "gpt"}', "mine"),
        ("https://h/hf-inference/models/google/gemma-2b/v1/chat/completions", {}, b"", "google/gemma-2b"),
        (CHAT, {}, b'{"model": "served"}', "served"),
        (CHAT, [], b"\xff", ""),
    ],
)
def test_the_model_is_read_from_body_path_or_reply(url, asked, answered, model):
    assert model_of(url, asked, answered) == model


@pytest.mark.parametrize(
    ("url", "asked", "content_type", "stream"),
    [
        (CHAT, {"stream": True}, "", True),
        (CHAT, {"stream": False}, "", False),
        (CHAT, {}, "text/event-stream", True),
        ("https://h/models/g:streamGenerateContent", {}, "", True),
        ("https://h/models/g:generateContent?alt=sse", {}, "", True),
        ("http://localhost:11434/api/chat", {}, "", True),
        ("http://localhost:11434/api/chat", {"stream": False}, "", False),
    ],
)
def test_a_stream_is_known_by_what_was_asked_or_came(url, asked, content_type, stream):
    assert is_streamed(endpoint_of(url), url, asked, content_type) is stream


# --- our own key ------------------------------------------------------------------------------------------


def test_our_own_key_wins_over_what_the_address_says(tmp_path):
    timing = {"first_byte_s": 0.2, "total_s": 1.5, "chunk_offsets_s": [0.2, 0.9]}
    ours = {"provider": "azure-openai", "model": "gpt-4o", "timing": timing, "recorded_from": "llmock"}
    found = load_folder(written(tmp_path, exchange(failover=ours)))[0]
    assert (found.provider, found.model, found.recorded_from) == ("azure-openai", "gpt-4o", "llmock")
    assert found.timing == Timing(0.2, 1.5, (0.2, 0.9))


@pytest.mark.parametrize(
    "timing", [None, 3, {}, {"total_s": "fast"}, {"total_s": -1}, {"total_s": float("nan")}]
)
def test_a_timing_that_is_none_is_left_out(tmp_path, timing):
    assert load_folder(written(tmp_path, exchange(failover={"timing": timing})))[0].timing is None


# --- totality ---------------------------------------------------------------------------------------------


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode), st.booleans())
def test_any_bytes_are_recordings_or_refused(content, is_json):
    with contextlib.suppress(UnreadableFileError):
        assert isinstance(recordings_in(content, is_json=is_json), list)


@given(st.text(max_size=60), st.binary(max_size=60))
def test_any_address_and_reply_can_be_read(url, answered):
    endpoint = endpoint_of(url)
    assert isinstance(provider_of(url, endpoint), str)
    assert isinstance(model_of(url, None, answered), str)
    assert isinstance(without_credentials(url), str)
