"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const root = document.documentElement;
  const narrow = window.matchMedia("screen and (max-width: 760px)");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const webgl = Boolean(document.createElement("canvas").getContext("webgl"));
  const told = document.getElementById("picked");
  let picked = null; // the spec of a student
  const PRINT_WIDTH = 640; // px, within the margins of A4 and Letter

  // A deep copy in which "--name" is the page's colour of that name.
  function coloured(value, colours) {
    if (typeof value === "string") {
      return value.startsWith("--") ? colours.getPropertyValue(value).trim() : value;
    }
    if (Array.isArray(value)) return value.map((item) => coloured(item, colours));
    if (value === null || typeof value !== "object") return value;
    const pairs = Object.entries(value).map(([key, item]) => [key, coloured(item, colours)]);
    return Object.fromEntries(pairs);
  }

  function axis(own) {
    const title = { standoff: 8, font: { size: 12 }, ...own.title };
    const lines = { gridcolor: "--line", zeroline: false, linecolor: "--line", ticks: "" };
    return { automargin: true, fixedrange: narrow.matches, ...lines, ...own, title };
  }

  function layout(own, width) {
    const axes = Object.keys(own).filter((key) => /^[xy]axis/.test(key));
    return {
      ...own,
      ...Object.fromEntries(axes.map((key) => [key, axis(own[key])])),
      width,
      autosize: width === undefined,
      margin: { l: 8, r: 12, t: 8, b: 8 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: "--muted" },
      hovermode: "closest",
      hoverlabel: { bgcolor: "--paper", bordercolor: "--line", font: { color: "--ink" } },
      dragmode: narrow.matches ? false : "zoom",
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
    };
  }

  function trace(own) {
    return own.type === "scattergl" && !webgl ? { ...own, type: "scatter" } : own;
  }

  // A ring around each mark of the picked student; marks of students have [spec, text] beside them.
  function rings(figure) {
    const at = figure.data.flatMap(({ x, y, customdata }) =>
      (customdata ?? []).flatMap(([spec], i) => (spec === picked ? [[x[i], y[i]]] : [])));
    const line = { width: 2 };
    return {
      type: "scatter", mode: "markers", name: "picked", x: at.map(([x]) => x), y: at.map(([, y]) => y),
      marker: { symbol: "circle-open", size: 22, color: "--ink", line }, hoverinfo: "skip", showlegend: false,
    };
  }

  // The student that was clicked is told below and ringed in every plot, until it is clicked again.
  function pick(event) {
    const [spec, text] = event.points[0].customdata ?? [];
    if (spec === undefined) return;
    picked = picked === spec ? null : spec;
    told.hidden = picked === null;
    told.textContent = text;
    draw();
  }

  function draw(width) {
    const colours = getComputedStyle(root);
    const config = { responsive: true, displaylogo: false, displayModeBar: false };
    for (const [id, figure] of Object.entries(figures)) {
      const data = picked === null ? figure.data : [...figure.data, rings(figure)];
      const parts = coloured({ data, layout: layout(figure.layout, width) }, colours);
      Plotly.react(id, parts.data.map(trace), parts.layout, config);
    }
  }

  // Paper is light, and of one width: the plots are drawn anew for it, and folded text is shown.
  function print(on) {
    root.classList.toggle("print", on);
    for (const details of document.querySelectorAll("details")) details.open ||= on;
    draw(on ? PRINT_WIDTH : undefined);
  }

  draw();
  for (const id of Object.keys(figures)) document.getElementById(id).on("plotly_click", pick);
  dark.addEventListener("change", () => draw());
  narrow.addEventListener("change", () => draw());
  window.addEventListener("beforeprint", () => print(true));
  window.addEventListener("afterprint", () => print(false));
})();
