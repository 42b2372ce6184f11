"use strict";
// Scales and ticks of a picture, and numbers as people read them.
window.explore = window.explore || {};

// A number as the command line writes it: whole ones below a million as they are.
explore.number = function (value, digits = 5) {
  if (value === null || value === undefined) return "none";
  return Number.isInteger(value) && Math.abs(value) < 1e6 ? String(value) : explore.general(value, digits);
};

// What Python's format(value, ".6g") is; JavaScript rounds a tie up, Python to the even digit.
explore.general = function (value, digits = 6) {
  if (!Number.isFinite(value)) return explore.unlimited(value);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const size = Math.abs(value);
  const exact = size.toExponential(100).replace(".", "");
  const even = "02468".includes(exact[digits - 1]) && /^50*e/.test(exact.slice(digits));
  const [rounded, power] = (even ? exact.slice(0, digits) + exact.slice(101) : size.toExponential(digits - 1).replace(".", "")).split("e");
  const kept = rounded.replace(/0+$/, "") || "0";
  const at = Number(power) + 1; // digits before the point
  if (at < -3 || at > digits) return sign + explore.scientific(kept, at - 1);
  if (at <= 0) return `${sign}0.${"0".repeat(-at)}${kept}`;
  const whole = kept.padEnd(at, "0");
  return sign + (whole.length > at ? `${whole.slice(0, at)}.${whole.slice(at)}` : whole);
};

// What Python's repr of a float is: the fewest digits that are no other number's.
explore.repr = function (value) {
  if (!Number.isFinite(value)) return explore.unlimited(value);
  const size = Math.abs(value);
  const [digits, power] = size.toExponential().replace(".", "").split("e");
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  if (power < -4 || power > 15) return sign + explore.scientific(digits, Number(power));
  return sign + size + (Number.isInteger(size) ? ".0" : "");
};

explore.scientific = function (digits, power) {
  const rest = digits.length > 1 ? `.${digits.slice(1)}` : "";
  return `${digits[0]}${rest}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
};

explore.unlimited = function (value) {
  return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
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
