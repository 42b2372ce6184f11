"use strict";
// The picture: lines with their slack, decoys, breaks and dots, as SVG of the size of its place.
window.explore = window.explore || {};

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { left: 64, right: 14, top: 30, bottom: 46 };

explore.svg = function (parent, tag, attributes = {}, text = "") {
  const made = parent.appendChild(document.createElementNS(SVG, tag));
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
};

explore.Chart = class {
  constructor(place) {
    this.place = place;
    this.model = null;
    this.cursor = -1;
    this.onread = () => {};
    new ResizeObserver(() => this.model && this.draw(this.model)).observe(place);
    place.addEventListener("pointermove", (event) => this._point(event));
    place.addEventListener("pointerleave", () => document.activeElement !== place && this.read(-1));
  }

  // model: {places, x: {name, unit, log}, y: {name, unit, log}, lines: [{name, values, slack,
  // decoy}], breaks: [{name, kind, at, low, high}], dots: {places, mean, low, high} or null}
  draw(model) {
    this.model = model;
    const width = Math.max(this.place.clientWidth, 280);
    const height = Math.max(Math.min(Math.round(width * 0.58), 460), 250);
    const [low, high] = explore.limits(model);
    const x = new explore.Scale(model.places[0], model.places[model.places.length - 1], model.x.log,
      MARGIN.left, width - MARGIN.right);
    const y = new explore.Scale(low, high, model.y.log, height - MARGIN.bottom, MARGIN.top);
    this.x = x;
    this.y = y;
    const svg = document.createElementNS(SVG, "svg");
    Object.entries({ viewBox: `0 0 ${width} ${height}`, width, height, role: "img", class: "chart" })
      .forEach(([name, value]) => svg.setAttribute(name, value));
    explore.svg(svg, "title", {}, `${model.y.name} against ${model.x.name}`);
    explore.svg(svg, "rect", { class: "paper", x: 0, y: 0, width, height });
    const clip = explore.svg(explore.svg(svg, "defs"), "clipPath", { id: "inside" });
    const frame = { x: MARGIN.left, y: MARGIN.top, width: width - MARGIN.left - MARGIN.right,
      height: height - MARGIN.top - MARGIN.bottom };
    explore.svg(clip, "rect", frame);
    this._axes(svg, model, x, y, width, height);
    const inside = explore.svg(svg, "g", { "clip-path": "url(#inside)" });
    model.lines.forEach((line) => line.slack && this._band(inside, line, x, y));
    this._breaks(svg, inside, model, x, height);
    model.lines.forEach((line) => this._line(inside, line, x, y));
    if (model.dots) this._dots(inside, model.dots, x, y);
    explore.svg(svg, "rect", { class: "frame", ...frame });
    this.marks = explore.svg(svg, "g", { class: "cursor" });
    this.height = height;
    this.place.replaceChildren(svg);
    this.place.setAttribute("aria-valuemax", model.places.length - 1);
    this._mark();
  }

  _axes(svg, model, x, y, width, height) {
    const bottom = height - MARGIN.bottom;
    const ticks = x.ticks(width / 90);
    for (const value of [...ticks.labelled, ...ticks.others]) {
      const at = x.at(value);
      const main = ticks.labelled.includes(value);
      explore.svg(svg, "line", { class: main ? "grid" : "tick", x1: at, x2: at, y1: bottom, y2: main ? MARGIN.top : bottom - 4 });
      if (main) explore.svg(svg, "text", { class: "label", x: at, y: bottom + 17, "text-anchor": "middle" }, explore.number(value));
    }
    const sides = y.ticks(height / 60);
    for (const value of [...sides.labelled, ...sides.others]) {
      const at = y.at(value);
      const main = sides.labelled.includes(value);
      explore.svg(svg, "line", { class: main ? "grid" : "tick", y1: at, y2: at, x1: MARGIN.left, x2: main ? width - MARGIN.right : MARGIN.left + 4 });
      if (main) explore.svg(svg, "text", { class: "label", x: MARGIN.left - 7, y: at + 4, "text-anchor": "end" }, explore.number(value));
    }
    const unit = (axis) => (axis.unit ? `${axis.name} [${axis.unit}]` : axis.name);
    explore.svg(svg, "text", { class: "name", x: (MARGIN.left + width - MARGIN.right) / 2, y: height - 8, "text-anchor": "middle" }, unit(model.x));
    const middle = (MARGIN.top + bottom) / 2;
    explore.svg(svg, "text", { class: "name", x: 15, y: middle, "text-anchor": "middle", transform: `rotate(-90 15 ${middle})` }, unit(model.y));
  }

  // The points of a curve that can be drawn, in unbroken stretches.
  _stretches(values, x, y) {
    const found = [[]];
    values.forEach((value, i) => {
      const [u, v] = [x.at(this.model.places[i]), value === null ? NaN : y.at(value)];
      if (Number.isFinite(u) && Number.isFinite(v)) found[found.length - 1].push([u, v]);
      else if (found[found.length - 1].length) found.push([]);
    });
    return found.filter((part) => part.length);
  }

  _line(svg, line, x, y) {
    const path = this._stretches(line.values, x, y)
      .map((part) => `M${part.map(([u, v]) => `${u.toFixed(2)} ${v.toFixed(2)}`).join("L")}`).join("");
    explore.svg(svg, "path", { class: `line ${line.style}`, d: path });
    if (this.model.places.length > 20 || line.decoy) return;
    for (const part of this._stretches(line.values, x, y))
      for (const [u, v] of part) explore.svg(svg, "circle", { class: `knot ${line.style}`, cx: u, cy: v, r: 2 });
  }

  _band(svg, line, x, y) {
    const floor = Math.max(y.from, y.to);
    const inside = (value) => (Number.isFinite(y.at(value)) ? y.at(value) : floor);
    const points = [];
    line.values.forEach((value, i) => {
      const slack = line.slack[i];
      if (value === null || slack === null || !Number.isFinite(x.at(this.model.places[i]))) return;
      points.push([x.at(this.model.places[i]), inside(value - slack), inside(value + slack)]);
    });
    if (points.length < 2) return;
    const there = points.map(([u, low]) => `${u.toFixed(2)} ${Math.min(low, 1e5).toFixed(2)}`);
    const back = points.reverse().map(([u, , high]) => `${u.toFixed(2)} ${Math.max(high, -1e5).toFixed(2)}`);
    explore.svg(svg, "path", { class: `band ${line.style}`, d: `M${[...there, ...back].join("L")}Z` });
  }

  _breaks(svg, inside, model, x, height) {
    const [left, right] = [MARGIN.left, x.to];
    let row = 0;
    for (const one of model.breaks) {
      const at = x.at(one.at);
      if (one.kind === "measured") {
        const low = Math.max(one.low === null ? left : x.at(one.low) || left, left);
        const high = Math.min(one.high === null ? right : x.at(one.high) || right, right);
        if (high > low)
          explore.svg(inside, "rect", { class: "measured", x: low, y: MARGIN.top, width: Math.max(high - low, 1.5), height: height - MARGIN.top - MARGIN.bottom });
        continue;
      }
      if (!(at >= left - 1 && at <= right + 1)) continue;
      explore.svg(inside, "line", { class: `break ${one.kind}`, x1: at, x2: at, y1: MARGIN.top, y2: height - MARGIN.bottom });
      const far = at > (left + right) / 2;
      const label = `${one.name} ${explore.number(one.at)}`;
      explore.svg(svg, "text", { class: "break-label", x: Math.min(Math.max(at + (far ? -3 : 3), left), right), y: 12 + 13 * (row++ % 2), "text-anchor": far ? "end" : "start" }, label);
    }
  }

  _dots(svg, dots, x, y) {
    dots.places.forEach((place, i) => {
      const [u, v] = [x.at(place), dots.mean[i] === null ? NaN : y.at(dots.mean[i])];
      if (!Number.isFinite(u) || !Number.isFinite(v)) return;
      if (dots.low[i] !== null) {
        const low = y.at(dots.low[i]);
        const bottom = Number.isFinite(low) ? low : Math.max(y.from, y.to);
        explore.svg(svg, "line", { class: "interval", x1: u, x2: u, y1: bottom, y2: y.at(dots.high[i]) });
      }
      explore.svg(svg, "circle", { class: "dot", cx: u, cy: v, r: 4 });
    });
  }

  _point(event) {
    if (!this.model) return;
    const at = event.clientX - this.place.getBoundingClientRect().left;
    let best = -1;
    this.model.places.forEach((place, i) => {
      const far = Math.abs(this.x.at(place) - at);
      if (far < (best < 0 ? Infinity : Math.abs(this.x.at(this.model.places[best]) - at))) best = i;
    });
    this.read(best);
  }

  read(index) {
    this.cursor = index;
    this._mark();
  }

  step(by) {
    const last = this.model.places.length - 1;
    this.read(Math.min(Math.max((this.cursor < 0 ? (by > 0 ? -1 : last + 1) : this.cursor) + by, 0), last));
  }

  _mark() {
    this.marks.replaceChildren();
    if (this.cursor >= this.model.places.length) this.cursor = -1;
    if (this.cursor >= 0) {
      const at = this.x.at(this.model.places[this.cursor]);
      explore.svg(this.marks, "line", { class: "here", x1: at, x2: at, y1: MARGIN.top, y2: this.height - MARGIN.bottom });
      for (const line of this.model.lines) {
        const v = line.values[this.cursor] === null ? NaN : this.y.at(line.values[this.cursor]);
        if (Number.isFinite(v) && v >= MARGIN.top - 1) explore.svg(this.marks, "circle", { class: `mark ${line.style}`, cx: at, cy: v, r: 4.5 });
      }
    }
    this.onread(this.cursor);
  }
};

// Lowest and highest value to show: of the predictions and the dots, and of decoys not far from them.
explore.limits = function (model) {
  const good = (v) => v !== null && Number.isFinite(v) && (!model.y.log || v > 0);
  const own = model.lines.filter((l) => !l.decoy).flatMap((l) => l.values).filter(good);
  const dots = model.dots ? [...model.dots.mean, ...model.dots.low, ...model.dots.high].filter(good) : [];
  const decoys = model.lines.filter((l) => l.decoy).flatMap((l) => l.values).filter(good);
  const first = own.length || dots.length ? [...own, ...dots] : decoys.length ? decoys : [model.y.log ? 0.1 : 0, 1];
  let [low, high] = [Math.min(...first), Math.max(...first)];
  if (model.y.log) {
    const room = Math.max(high / low, 3) ** 0.5;
    const near = decoys.filter((v) => v > low / room && v < high * room);
    [low, high] = [Math.min(low, ...near), Math.max(high, ...near)];
    const rim = (high / low) ** 0.05 || 1.1;
    return [low / rim, high * rim];
  }
  const near = decoys.filter((v) => v > low - (high - low) && v < high + (high - low));
  [low, high] = [Math.min(low, ...near), Math.max(high, ...near)];
  if (low >= 0 && low < 0.5 * high) return [0, high * 1.06];
  const rim = 0.06 * (high - low) || 0.1 * Math.abs(high) || 1;
  return [low - rim, high + rim];
};

explore.wantsLog = function (model) {
  const values = model.lines.filter((l) => !l.decoy).flatMap((l) => l.values).filter((v) => v !== null);
  if (!values.length || Math.min(...values) <= 0) return false;
  return Math.max(...values) / Math.min(...values) > 30;
};
