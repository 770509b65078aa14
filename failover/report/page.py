"""An HTML file that needs nothing else: no address is ever fetched.

The charting library stands in the file, and makes up most of its 5 MB. A content security policy lets
nothing run but the two scripts written here, and nothing load from anywhere.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Any

import orjson

from failover.report.markup import Markup, prose, script_json, tag


def page(title: str, *body: Markup) -> str:
    """The whole file as text."""
    from plotly.offline import get_plotlyjs

    plotly, script = Markup(get_plotlyjs()), Markup(_resource("page.js"))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(plotly, script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", Markup(_resource("page.css"))),
    )
    scripts = tag("script", plotly), tag("script", script)
    document = tag("html", head, tag("body", tag("main", *body), *scripts), lang="en")
    return f"<!DOCTYPE html>\n{document}\n"


def picture(
    name: str, figure: Mapping[str, Any], finding: str, how: str, *, unit: str = "", height_px: int
) -> Markup:
    """A chart, drawn when it comes into view: what it shows, how it is to be read, and its data."""
    plot = tag(
        "div",
        class_="picture",
        id=name,
        style=f"height:{height_px}px",
        data_height=str(height_px),
        role="img",
        aria_label=finding,
    )
    data = tag("script", script_json(orjson.dumps(figure)), type="application/json")
    caption = tag("figcaption", tag("h4", prose(finding)), tag("p", how, class_="how"))
    return tag("figure", caption, tag("p", unit, class_="unit"), plot, data, class_="chart")


def _policy(*scripts: str) -> str:
    hashes = " ".join(f"'sha256-{b64encode(sha256(each.encode()).digest()).decode()}'" for each in scripts)
    return f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:"


def _resource(name: str) -> str:
    return files("failover.report").joinpath(name).read_text("utf-8")
