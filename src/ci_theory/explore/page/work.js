"use strict";
// The theory of a curve worked out in the page, place by place, as scripts carry it (scripts.py).
window.explore = window.explore || {};

explore.AT_ONCE = 80; // milliseconds that a page works before it looks up
explore.FEWEST = 4; // places that are drawn as a curve

explore.Work = class {
  // `carried`: the script that fits the point of an address, null if there is none.
  constructor(about, text) {
    const pairs = [...explore.read(text)];
    const own = pairs.filter(([key]) => !key.startsWith("@"));
    Object.assign(this, { about, ...explore.asked(about, own) });
    const { along, point } = this;
    this.carried = (window.carriedTheories || []).find((one) =>
      !(along in one.fixed) && Object.entries(one.fixed).every(([name, value]) => point[name] === value)) || null;
    const on = (new Map(pairs).get("@decoys") || "").split(";");
    this.drawn = new Map(about.predictions.map((p) => [p.name,
      p.decoys.filter((decoy) => on.includes(decoy) && this.carried && this.carried.keys.includes(`decoy:${p.name}:${decoy}`))]));
    this.order = explore.coarseFirst(this.values.length);
    this.rows = [];
    this.problem = "";
  }

  get done() {
    return this.rows.length === this.order.length;
  }

  // Go on for so many milliseconds, a place at least, and say whether all of it is there.
  run(milliseconds) {
    const end = performance.now() + milliseconds;
    do {
      if (this.done) return true;
      this.rows.push(this._at(this.order[this.rows.length]));
    } while (performance.now() < end);
    return this.done;
  }

  _at(index) {
    const here = { ...this.point, [this.along]: this.values[index] };
    this.carried.made = this.carried.made || this.carried.make();
    const problem = this.carried.rule(here);
    this.problem = this.problem || problem;
    const told = this.about.predictions.map((p) => explore.workedOut(problem ? null : this.carried, here, p.name, this.drawn.get(p.name)));
    return { index, told };
  }

  // What of it can be drawn by now: null while it is too little.
  partial() {
    return this.rows.length < explore.FEWEST ? null : this.result();
  }

  // What is there by now, as curve.py lays it out; quick: not at all places yet.
  result() {
    const rows = [...this.rows].sort((a, b) => a.index - b.index);
    const places = rows.map((row) => this.values[row.index]);
    const found = { axis: this.along, places, problem: this.problem, curve: {}, slack: {}, decoys: {}, breaks: this._breaks(places), quick: !this.done };
    const table = { axes: [this.along], params: { ...this.point, [this.along]: places }, observables: {} };
    this.about.predictions.forEach((p, k) => {
      const each = (read) => rows.map((row) => read(row.told[k]));
      found.curve[p.name] = each((one) => (one.status === "OK" ? one.value : null));
      found.slack[p.name] = each((one) => one.slack);
      found.decoys[p.name] = Object.fromEntries(this.drawn.get(p.name).map((decoy) => [decoy, each((one) => one.decoys[decoy])]));
      table.observables[p.name] = { value: each((one) => one.value), valid: each((one) => one.valid), status: each((one) => one.status) };
    });
    const silent = Object.values(found.curve).every((values) => values.every((v) => v === null));
    if (this.done && this.problem && silent) throw new Error(this.problem);
    return { ...found, table: this.problem ? null : table };
  }

  // Where closed forms put the breaks along the axis: they do not depend on the place.
  _breaks(places) {
    if (!this.marks) {
      this.carried.made = this.carried.made || this.carried.make();
      const mine = this.about.breaks.filter((b) => b.axis === this.along && this.carried.keys.includes(`break:${b.name}`));
      this.marks = mine.map((b) => [b.name, explore.finite(this.carried.made[`break:${b.name}`](this.point))]);
    }
    return Object.fromEntries(this.marks.map(([name, at]) => [name, { axis: this.along, value: places.map(() => at) }]));
  }
};

explore.finite = function (value) {
  return Number.isFinite(value) ? Number(value) : null;
};

// One prediction at one place: what is not finite or not solved is no value, as Python says it.
explore.workedOut = function (carried, here, name, drawn) {
  const nothing = Object.fromEntries(drawn.map((decoy) => [decoy, null]));
  if (!carried) return { value: null, slack: null, status: "OUT_OF_SCOPE", valid: false, decoys: nothing };
  const at = (kind) => Number(carried.made[`${kind}:${name}`](here));
  const [value, slack] = [explore.finite(at("prediction")), explore.finite(at("slack"))];
  const said = carried.status[at("status")];
  const status = said === "OK" && value === null ? "NOT_FINITE" : said;
  const valid = status === "OK" && slack !== null && slack >= 0 && at("valid") === 1;
  const decoys = Object.fromEntries(drawn.map((decoy) => [decoy, explore.finite(carried.made[`decoy:${name}:${decoy}`](here))]));
  return { value, slack, status, valid, decoys };
};

// The numbers below `count`: both ends, then evenly between, then twice as densely, and so on.
explore.coarseFirst = function (count) {
  const order = new Set([0, count - 1]);
  let step = 1;
  while (12 * step <= count) step *= 2; // six places or more after the ends, if there are so many
  for (; step >= 1; step /= 2) for (let k = 0; k < count; k += step) order.add(k);
  return [...order];
};
