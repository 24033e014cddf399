"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const root = document.documentElement;
  const narrow = window.matchMedia("screen and (max-width: 760px)");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const webgl = Boolean(document.createElement("canvas").getContext("webgl"));
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

  function draw(width) {
    const colours = getComputedStyle(root);
    const config = { responsive: true, displaylogo: false, displayModeBar: false };
    for (const [id, figure] of Object.entries(figures)) {
      const parts = coloured({ data: figure.data, layout: layout(figure.layout, width) }, colours);
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
  dark.addEventListener("change", () => draw());
  narrow.addEventListener("change", () => draw());
  window.addEventListener("beforeprint", () => print(true));
  window.addEventListener("afterprint", () => print(false));
})();
