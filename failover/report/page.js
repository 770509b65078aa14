"use strict";
// Draws a chart when it comes into view: a page of a hundred drills opens as quickly as a page of one.
(function () {
  const PRINTED_PX = 660; // fits A4 and Letter with the page's margins
  const CONFIG = { responsive: true, displayModeBar: false, typesetMath: false, scrollZoom: false, showTips: false };
  const TAKEN_FROM_PAGE = new Set(["color", "fillcolor", "bgcolor", "fgcolor", "gridcolor", "linecolor", "tickcolor"]);
  const plots = Array.from(document.querySelectorAll(".picture"));
  const narrow = window.matchMedia("screen and (max-width: 760px)");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function painted(value, style) {
    if (Array.isArray(value)) { return value.map((part) => painted(part, style)); }
    if (value === null || typeof value !== "object") { return value; }
    const result = {};
    for (const [key, part] of Object.entries(value)) {
      const named = TAKEN_FROM_PAGE.has(key) && typeof part === "string" && part.startsWith("@");
      result[key] = named ? style.getPropertyValue("--" + part.slice(1)).trim() : painted(part, style);
    }
    return result;
  }

  function draw(plot, widthPx) {
    const source = plot.parentElement.querySelector("script[type='application/json']");
    const figure = painted(JSON.parse(source.textContent), getComputedStyle(document.documentElement));
    const heightPx = Number(plot.dataset.height);
    figure.layout.height = heightPx;
    if (widthPx) {
      figure.layout.width = widthPx;
      figure.layout.autosize = false;
    } else if (narrow.matches) {
      figure.layout.margin.l = 42;
      figure.layout.margin.r = 8;
      figure.layout.xaxis.nticks = 6;
      figure.layout.font.size = 11;
      figure.layout.height = heightPx + 14 * (figure.data.length - 1); // a legend takes more lines there
    }
    plot.style.height = figure.layout.height + "px";
    plot.dataset.drawn = widthPx ? "printed" : "shown";
    return Plotly.react(plot, figure.data, figure.layout, Object.assign({}, CONFIG, { responsive: !widthPx }));
  }

  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting && !entry.target.dataset.drawn) { draw(entry.target); }
    }
  }, { rootMargin: "600px 0px" });
  plots.forEach((plot) => watcher.observe(plot));

  function redraw() { plots.filter((plot) => plot.dataset.drawn).forEach((plot) => draw(plot)); }
  dark.addEventListener("change", redraw);
  narrow.addEventListener("change", redraw);

  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = Array.from(document.querySelectorAll("details:not([open])"));
    folded.forEach((each) => { each.open = true; });
    plots.forEach((plot) => draw(plot, PRINTED_PX));
  });
  window.addEventListener("afterprint", () => {
    folded.forEach((each) => { each.open = false; });
    redraw();
  });

  function selectText(element) {
    const range = document.createRange();
    range.selectNodeContents(element);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  }

  async function copy(button) {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "copied";
    } catch (refused) {
      selectText(code);
      button.textContent = document.execCommand("copy") ? "copied" : "selected: copy it now";
    }
    setTimeout(() => { button.textContent = "copy"; }, 2500);
  }
  document.querySelectorAll("button.copy").forEach((button) => {
    button.addEventListener("click", () => { copy(button); });
  });
}());
