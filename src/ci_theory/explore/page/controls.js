"use strict";
// The knobs: a slider and a field for every number, a list for every word.
window.explore = window.explore || {};

explore.element = function (parent, tag, attributes = {}, text = "") {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  if (parent) parent.append(made);
  return made;
};

// A text in which `names` are set apart.
explore.prose = function (parent, text) {
  text.split("`").forEach((part, i) => (i % 2 ? explore.element(parent, "code", {}, part) : parent.append(part)));
};

explore.Knobs = class {
  // changed(name, settled): called when the state has changed; settled once the hand has let go.
  constructor(place, about, state, changed) {
    this.place = place;
    this.about = about;
    this.state = state;
    this.changed = changed;
    this.rows = new Map();
    this.playing = null;
    const parts = new Map();
    for (const axis of about.axes) {
      const part = axis.name.includes(".") ? axis.name.split(".")[0] : "";
      if (!parts.has(part)) parts.set(part, this._part(part));
      this.rows.set(axis.name, this._row(parts.get(part), axis));
    }
    this.show();
  }

  _part(name) {
    if (!name) return this.place;
    const part = explore.element(this.place, "fieldset");
    explore.element(part, "legend", {}, { up: "upstream (up)", down: "downstream (down)" }[name] || name);
    return part;
  }

  _row(parent, axis) {
    const row = explore.element(parent, "div", { class: "knob", "data-axis": axis.name });
    const id = `knob-${axis.name}`;
    const head = explore.element(row, "div", { class: "head" });
    const short = axis.name.split(".").pop();
    const label = explore.element(head, "label", { for: id, id: `${id}-label` }, short);
    const made = { row, axis, label };
    if (axis.choices) {
      made.field = explore.element(head, "select", { id, "aria-describedby": `${id}-doc` });
      for (const word of axis.choices) explore.element(made.field, "option", { value: word }, word);
      made.field.addEventListener("change", () => this._set(axis, made.field.value, true));
    } else {
      made.field = explore.element(head, "input", { id, type: "text", inputmode: "decimal", autocomplete: "off", spellcheck: "false", "aria-describedby": `${id}-doc` });
      made.field.addEventListener("change", () => this._typed(axis, made.field.value));
      explore.element(head, "span", { class: "unit" }, axis.unit);
      made.along = explore.element(head, "button", { type: "button", class: "small", "aria-pressed": "false", "aria-label": `draw along ${axis.name}`, title: `draw along ${axis.name}` }, "↔");
      made.along.addEventListener("click", () => this.drawAlong(axis.name));
      made.along.disabled = Boolean(axis.held);
      made.slider = explore.element(row, "input", { type: "range", min: 0, max: axis.stops.length - 1, step: 1, "aria-labelledby": `${id}-label`, "aria-describedby": `${id}-doc` });
      made.slider.addEventListener("input", () => this._slid(made, false));
      made.slider.addEventListener("change", () => this._slid(made, true));
      made.play = explore.element(head, "button", { type: "button", class: "small", "aria-pressed": "false", "aria-label": `play along ${axis.name}`, title: `play along ${axis.name}` }, "▶");
      made.play.addEventListener("click", () => this.togglePlay(axis.name));
    }
    explore.prose(explore.element(row, "p", { class: "doc", id: `${id}-doc` }), axis.doc);
    return made;
  }

  axis(name) {
    return this.about.axes.find((axis) => axis.name === name);
  }

  value(axis) {
    return this.state.get(axis.name, String(axis.default));
  }

  _set(axis, text, settled) {
    const same = axis.choices ? text === String(axis.default) : Number(text) === axis.default;
    this.state.set(axis.name, same ? null : text);
    this.show();
    this.changed(axis.name, settled);
  }

  _typed(axis, text) {
    const value = text.trim();
    this.state.set(axis.name, value === "" ? null : value);
    if (this.state.along() === "") this.state.set(axis.name, axis.range);
    this.show();
    this.changed(axis.name, true);
  }

  _slid(made, settled) {
    this.stop();
    this._set(made.axis, String(made.axis.stops[made.slider.value]), settled);
  }

  // Draw along another axis; the one before goes back to its default.
  drawAlong(name) {
    const before = this.state.along();
    if (before === name) return;
    this.stop();
    if (before) this.state.set(before, null);
    this.state.set(name, this.axis(name).range);
    this.state.set("@log", null);
    const fits = this.about.breaks.find((b) => b.axis === name);
    if (fits) this.state.set("@measure", fits.measure);
    this.show();
    this.changed(name, true);
  }

  // Put every knob where the state says.
  show() {
    const along = this.state.along();
    for (const { row, axis, field, slider, along: button, play } of this.rows.values()) {
      const text = this.value(axis);
      if (document.activeElement !== field || axis.choices || field.value.trim() !== text) field.value = text;
      if (axis.choices) continue;
      const here = axis.name === along;
      row.classList.toggle("along", here);
      button.setAttribute("aria-pressed", String(here));
      slider.hidden = here;
      play.hidden = here;
      if (here) continue;
      slider.value = explore.nearest(axis.stops, Number(text));
      slider.setAttribute("aria-valuetext", `${text} ${axis.unit}`.trim());
    }
  }

  disable() {
    for (const { field, slider, along, play } of this.rows.values())
      for (const one of [field, slider, along, play]) if (one) one.disabled = true;
  }

  togglePlay(name) {
    const same = this.playing === name;
    this.stop();
    if (same) return;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.playing = name; // no motion of its own: each press is one step
      this.stepPlay();
      this.playing = null;
      return;
    }
    this.playing = name;
    const row = this.rows.get(name);
    row.play.setAttribute("aria-pressed", "true");
    row.play.textContent = "■";
    this.stepPlay();
  }

  // One step of a play; the page calls it again when the picture of this one is drawn.
  stepPlay() {
    if (!this.playing) return;
    const { axis, slider } = this.rows.get(this.playing);
    const next = Number(slider.value) + 1;
    slider.value = next >= axis.stops.length ? 0 : next;
    this._set(axis, String(axis.stops[slider.value]), false);
  }

  stop() {
    if (!this.playing) return;
    const { play } = this.rows.get(this.playing);
    play.setAttribute("aria-pressed", "false");
    play.textContent = "▶";
    this.playing = null;
    this.state.remember(true);
  }
};

explore.nearest = function (stops, value) {
  let best = 0;
  stops.forEach((stop, i) => {
    if (Math.abs(stop - value) < Math.abs(stops[best] - value)) best = i;
  });
  return best;
};
