"""What a YAML parser complains about, in words for people."""

from __future__ import annotations

import yaml

_WORDS = {
    "mapping values are not allowed": "a ':' where none can be; put text that holds ': ' in quotes",
    "could not find expected ':'": "a key without its ':'",
    "did not find expected ',' or ']'": "a '[' that is not closed, or a ',' is missing",
    "did not find expected ',' or '}'": "a '{' that is not closed, or a ',' is missing",
    "did not find expected key": "the indentation does not fit the lines above",
    "did not find expected '-' indicator": "a list item without '- ', or the indentation does not fit",
    "did not find expected node content": "something is missing, or a bracket is not closed",
    "found undefined alias": "an alias (*name) of something that no anchor (&name) names",
    "found another document": "holds several YAML documents ('---'); write one file for each",
    "found undefined tag handle": "YAML tags such as '!name' are not supported",
    "found unexpected end of stream": "a quote that is not closed",
    "found a tab character": "a tab where YAML takes only spaces",
    "found character that cannot start any token": "a character that needs quotes around the text",
    "unknown escape character": "an unknown '\\' escape in a text in double quotes",
}


def syntax_error(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """The line (from 1) and the words for a parser's error about `text`."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return line, "is not plain text: it holds control characters"
    if not isinstance(error, yaml.MarkedYAMLError):
        return 0, "is not valid YAML"
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    written = text.splitlines()[line - 1] if 0 < line <= len(text.splitlines()) else ""
    if "\t" in written[: len(written) - len(written.lstrip())]:
        return line, "is not valid YAML: a tab where YAML takes only spaces"
    problem = error.problem or ""
    said = next((words for start, words in _WORDS.items() if start in problem), problem)
    return line, said if said.startswith("holds") else f"is not valid YAML: {said}"
