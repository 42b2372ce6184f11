"use strict";
// A page without a server: it carries its presets, and theory as scripts where there is a translation.
window.explore = window.explore || {};

explore.Alone = class {
  // data: {controls, curves}; theories come as scripts of their own, see scripts.py.
  constructor(data) {
    this.data = data;
    this.live = false;
    this.movable = Boolean(window.carriedTheories);
  }

  // A number that is built into the carried theories has only the values that they were made for.
  async controls() {
    const made = window.carriedTheories || [];
    for (const axis of this.data.controls.axes) {
      if (!axis.stops || !made.length || !made.every((one) => axis.name in one.fixed)) continue;
      axis.stops = [...new Set(made.map((one) => one.fixed[axis.name]))].sort((a, b) => a - b);
      axis.held = true;
    }
    return this.data.controls;
  }

  quick() {
    return null;
  }

  leave() {}

  // Calls back with what there is while it works; null once that is not wanted any more.
  async curve(text, partial = () => true) {
    const pairs = [...explore.read(text)].filter(([key]) => !key.startsWith("@"));
    const key = explore.written(new Map(pairs));
    if (key in this.data.curves) return this.data.curves[key];
    const work = this.movable ? new explore.Work(this.data.controls, text) : null;
    if (work && work.carried) {
      while (!work.run(explore.AT_ONCE)) {
        if (!partial(work.partial())) return null;
        await new Promise((next) => setTimeout(next, 0));
      }
      return work.result();
    }
    const what = this.movable ? "does not carry the theory of this point" : "shows the presets only";
    throw new Error(`this copy of the page has no server behind it and ${what}: run ci-theory explore ${this.data.controls.name}`);
  }
};

// What an address asks for: the axis that has a range, its values, and the value of every parameter.
explore.asked = function (about, pairs) {
  const point = Object.fromEntries(about.axes.map((axis) => [axis.name, explore.held(axis, String(axis.default))]));
  let along = null;
  let values = null;
  for (const [name, text] of pairs) {
    const axis = about.axes.find((one) => one.name === name);
    if (!axis) throw new Error(`unknown axis '${name}' in ${about.name} (known: ${about.axes.map((one) => one.name).join(", ")})`);
    if (!explore.isRange(text)) {
      point[name] = explore.held(axis, text);
      continue;
    }
    if (along) throw new Error(`the page draws along one axis (${along} and ${name} given)`);
    [along, values] = [name, explore.rangeOf(axis, text)];
  }
  if (!along) throw new Error("the page draws along one axis (none given)");
  return { along, values, point };
};

// One value of an axis, checked against its type and its bounds.
explore.held = function (axis, text) {
  if (axis.choices) {
    if (!axis.choices.includes(text)) throw new Error(`unknown value of ${axis.name} '${text}' (known: ${axis.choices.join(", ")})`);
    return axis.type === "bool" ? text === "true" : text;
  }
  const value = Number(text);
  const say = (why) => {
    throw new Error(`${axis.name} = ${text}: must be ${why}`);
  };
  if (text.trim() === "" || !Number.isFinite(value)) say(axis.type === "int" ? "a whole number" : "a number");
  if (axis.type === "int" && !Number.isInteger(value)) say("a whole number");
  if (axis.above !== null && !(value > axis.above)) say(`> ${axis.above}`);
  if (axis.low !== null && !(value >= axis.low)) say(`>= ${axis.low}`);
  if (axis.high !== null && !(value <= axis.high)) say(`<= ${axis.high}`);
  return value;
};

// A list or a range, as the command line makes its values.
explore.rangeOf = function (axis, text) {
  if (axis.choices) throw new Error(`${axis.name} is no number: the page cannot draw along it`);
  const call = /^\s*(\w+)\s*\(([^()]*)\)\s*$/.exec(text);
  if (!call) {
    const parts = text.replace(/^\s*\[|\]\s*$/g, "").split(",").map((part) => part.trim());
    if (parts.length > 1 && parts[parts.length - 1] === "") parts.pop();
    const values = parts.map((part) => explore.held(axis, part));
    if (new Set(values).size < values.length) throw new Error(`axis ${axis.name} has a value twice`);
    return values;
  }
  const [first, last, count] = call[2].split(",").map(Number);
  const rule = call[1].replace(/space$/, "");
  const fine = [first, last].every(Number.isFinite) && Number.isInteger(count) && count >= 2 && first !== last;
  if (!["lin", "geom", "log"].includes(rule) || !fine || (rule === "geom" && !(Math.min(first, last) > 0)))
    throw new Error(`${axis.name} = '${text}': expected lin(a,b,k), geom(a,b,k) or log(x,y,k)`);
  if (count > 400) throw new Error(`${axis.name} has ${count} values: the page draws at most 400`);
  const share = (k) => k / (count - 1);
  const at = {
    lin: (k) => (k === count - 1 ? last : first + k * ((last - first) / (count - 1))),
    geom: (k) => first * (last / first) ** share(k),
    log: (k) => 10 ** (first + share(k) * (last - first)),
  }[rule];
  const made = Array.from({ length: count }, (_, k) => Number(explore.general(at(k), 12)));
  const size = Math.max(...made.map(Math.abs));
  if (rule === "lin") made.forEach((v, k) => Math.abs(v) < 1e-12 * size && (made[k] = 0)); // rounding missed it
  const whole = axis.type === "int" ? [...new Set(made.map(explore.roundEven))] : made;
  return whole.map((value) => explore.held(axis, String(value)));
};

// Halves go to the even neighbour, as Python rounds.
explore.roundEven = function (value) {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
};
