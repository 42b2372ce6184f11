"use strict";
// Scales and ticks of a picture, and numbers as people read them.
window.explore = window.explore || {};

explore.number = function (value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "none";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(digits - 1).replace(/\.?0+e/, "e").replace("e+", "e");
  return String(Number(value.toPrecision(digits)));
};

explore.Scale = class {
  // From [low, high] to [from, to] pixels.
  constructor(low, high, log, from, to) {
    this.log = log;
    this.low = log ? Math.log10(low) : low;
    this.high = log ? Math.log10(high) : high;
    if (!(this.high > this.low)) {
      this.low -= log ? 0.3 : Math.abs(this.low) * 0.1 || 1;
      this.high += log ? 0.3 : Math.abs(this.high) * 0.1 || 1;
    }
    this.from = from;
    this.to = to;
  }

  at(value) {
    if (this.log && !(value > 0)) return NaN;
    const u = this.log ? Math.log10(value) : value;
    return this.from + ((u - this.low) / (this.high - this.low)) * (this.to - this.from);
  }

  // Ticks: the labelled ones, about so many, and the others.
  ticks(about) {
    return this.log ? this._decades(about) : this._steps(about);
  }

  _steps(about) {
    const rough = (this.high - this.low) / Math.max(about, 1);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((k) => k * power >= rough * 0.999);
    const labelled = [];
    for (let k = Math.ceil(this.low / step - 1e-9); k * step <= this.high + step * 1e-9; k++)
      labelled.push(Number((k * step).toPrecision(12)));
    return { labelled, others: [] };
  }

  _decades(about) {
    const labelled = [];
    const others = [];
    const decades = this.high - this.low;
    if (decades < 0.75) return new explore.Scale(10 ** this.low, 10 ** this.high, false, 0, 1)._steps(about);
    const every = Math.max(1, Math.ceil(decades / about));
    const within = decades < about / 3 ? [2, 5] : [];
    for (let k = Math.floor(this.low) - 1; k <= Math.ceil(this.high); k++)
      for (let m = 1; m < 10; m++) {
        const value = Number(`${m}e${k}`);
        const u = Math.log10(value);
        if (u < this.low - 1e-9 || u > this.high + 1e-9) continue;
        const main = (m === 1 && k % every === 0) || within.includes(m);
        if (main) labelled.push(value);
        else if (every === 1) others.push(value);
      }
    return { labelled, others };
  }
};

// Whether places are rather spread by factors than by differences.
explore.byFactors = function (places) {
  const [first, last] = [places[0], places[places.length - 1]];
  if (!(first > 0) || !(last > first)) return false;
  const middle = places[Math.floor(places.length / 2)];
  return last / first > 8 && middle < 0.35 * (first + last);
};
