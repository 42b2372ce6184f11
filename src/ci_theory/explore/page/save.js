"use strict";
// Taking things along: numbers as CSV, the picture as SVG or PNG.
window.explore = window.explore || {};

explore.download = function (name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
};

explore.csv = function (shown, dots, address) {
  const cell = (value) => (value === null || value === undefined ? "" : /[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  const columns = [[shown.axis, shown.places]];
  for (const [name, values] of Object.entries(shown.curve)) {
    columns.push([name, values], [`${name} slack`, shown.slack[name]]);
    for (const [decoy, wrong] of Object.entries(shown.decoys[name] || {})) columns.push([`${name} decoy ${decoy}`, wrong]);
  }
  if (dots) {
    const at = shown.places.map((place) => dots.places.indexOf(place));
    for (const [name, one] of Object.entries(dots.measures))
      for (const part of ["mean", "low", "high", "count"])
        columns.push([`${name} simulated ${part}`, at.map((i) => (i < 0 ? null : one[part][i]))]);
  }
  const rows = shown.places.map((_, i) => columns.map(([, values]) => cell(values[i])).join(","));
  return [`# ${address}`, columns.map(([name]) => cell(name)).join(","), ...rows].join("\n") + "\n";
};

const KEPT = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "opacity", "font-family", "font-size", "font-weight"];

// The picture as a text that needs no style sheet.
explore.svgText = function (svg) {
  const copy = svg.cloneNode(true);
  copy.removeAttribute("class");
  const [from, to] = [svg.querySelectorAll("*"), copy.querySelectorAll("*")];
  from.forEach((one, i) => {
    const style = getComputedStyle(one);
    for (const name of KEPT) to[i].setAttribute(name, style.getPropertyValue(name));
    to[i].removeAttribute("class");
    if (one.closest(".cursor")) to[i].setAttribute("display", "none");
  });
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return new XMLSerializer().serializeToString(copy);
};

explore.png = function (svg) {
  const [width, height] = [svg.width.baseVal.value, svg.height.baseVal.value];
  const url = URL.createObjectURL(new Blob([explore.svgText(svg)], { type: "image/svg+xml" }));
  return new Promise((done, failed) => {
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [2 * width, 2 * height];
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      URL.revokeObjectURL(url);
      canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("the picture cannot be made"))), "image/png");
    };
    image.onerror = () => failed(new Error("the picture cannot be made"));
    image.src = url;
  });
};
