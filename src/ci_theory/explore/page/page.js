"use strict";
// The page: one state, its address; whatever changes it is followed by the numbers of that address.
window.explore = window.explore || {};

const SLOW = 60; // milliseconds from which the server takes its time
const HEAVY = 300; // milliseconds from which it is asked for few places first
const REST = 200; // milliseconds without a move after which a heavy curve is asked for whole

explore.Page = class {
  constructor(source, about) {
    this.source = source;
    this.about = about;
    this.state = new explore.State(about.first);
    this.preset = about.first;
    this.shown = null; // what the source said last, and of which address
    this.dots = null;
    this.asking = false;
    this.asked = null; // the address for which
    this.again = false;
    this.stopDots = null;
    this.settling = 0;
    this.server = 0; // milliseconds of its last answer
    this.quickly = false; // whether the page itself could work out the last curve at once
    this.warm = false; // whether the server has been asked for few places
    this.rested = () => {}; // told whether the hand rests, or has moved on
    this.by = (id) => document.getElementById(id);
    this.chart = new explore.Chart(this.by("plot"));
    this.chart.onread = (index) => this._tellReading(index);
  }

  start() {
    const { about } = this;
    document.title = `${about.name}: ci-theory explore`;
    this.by("title").textContent = about.title;
    this.by("question").textContent = about.question;
    explore.prose(this.by("model"), about.model);
    for (const preset of about.presets) explore.element(this.by("preset"), "option", { value: preset.address }, preset.title);
    if (!about.presets.length) this.by("preset").parentElement.hidden = true;
    for (const measure of about.measures) explore.element(this.by("measure"), "option", { value: measure.name, title: measure.doc }, measure.name);
    this.knobs = new explore.Knobs(this.by("knobs"), about, this.state, (name, settled) => this.changed(settled));
    if (!this.source.live) this._standAlone();
    this._listen();
    this._arrive();
  }

  _standAlone() {
    if (!this.source.movable) this.knobs.disable();
    for (const id of ["simulate", "dots", "replicates", "seed", "save-toml"]) this.by(id).disabled = true;
    this.by("progress-text").textContent = "Simulation needs ci-theory explore.";
  }

  // Show what the address of the browser says; without one, the first preset.
  _arrive() {
    const wanted = location.hash.slice(1);
    this.knobs.stop();
    try {
      this.state.replace(wanted || this.about.first);
    } catch (problem) {
      this._tell(problem.message);
      return;
    }
    this.knobs.show();
    this.changed(true, true);
  }

  _listen() {
    const on = (id, kind, call) => this.by(id).addEventListener(kind, call);
    window.addEventListener("hashchange", () => location.hash.slice(1) !== this.state.text && this._arrive());
    window.addEventListener("pagehide", () => this._quiet());
    on("preset", "change", () => this._take(this.by("preset").value));
    on("reset", "click", () => this._take(this.preset));
    on("measure", "change", () => this._set("@measure", this.by("measure").value));
    on("log-x", "change", () => this._setLog());
    on("log-y", "change", () => this._setLog());
    on("simulate", "click", () => this._toggleDots());
    for (const id of ["dots", "replicates", "seed"])
      on(id, "change", () => (id !== "dots" || this._simulating()) && this._set(`@${id}`, this.by(id).value));
    on("plot", "keydown", (event) => this._key(event));
    on("skip", "click", (event) => {
      event.preventDefault();
      this.by("plot").focus();
    });
    on("save-csv", "click", () => this._save("csv", () => new Blob([explore.csv(this.shown, this.dots, this.state.text)], { type: "text/csv" })));
    on("save-svg", "click", () => this._save("svg", () => new Blob([explore.svgText(this._svg())], { type: "image/svg+xml" })));
    on("save-png", "click", () => this._save("png", () => explore.png(this._svg())));
    on("save-toml", "click", () => this._save("toml", async () => {
      const text = this._simulating() ? this.state.text : `${this.state.text}&@dots=${this.by("dots").value}`;
      return new Blob([await this.source.sweep(text)], { type: "text/plain" });
    }));
    on("copy", "click", async () => {
      await navigator.clipboard.writeText(location.href);
      this.by("saved").textContent = "copied";
    });
  }

  _svg() {
    return this.by("plot").querySelector("svg");
  }

  async _save(kind, make) {
    try {
      if (!this.shown) throw new Error("there is nothing to save yet");
      explore.download(`${this.about.name}.${kind}`, await make());
      this.by("saved").textContent = `${this.about.name}.${kind}`;
    } catch (problem) {
      this._tell(problem.message);
    }
  }

  _take(address) {
    this.knobs.stop();
    const dots = this.state.get("@dots");
    this.state.replace(address);
    if (dots) this.state.set("@dots", dots);
    this.preset = address;
    this.knobs.show();
    this.changed(true, true);
  }

  _set(key, value) {
    this.state.set(key, value);
    this.changed(true);
  }

  _setLog() {
    const word = `${this.by("log-x").checked ? "x" : ""}${this.by("log-y").checked ? "y" : ""}`;
    this._set("@log", word || "no");
  }

  _key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || !this.shown) return;
    const calls = {
      ArrowLeft: () => this.chart.step(-1),
      ArrowRight: () => this.chart.step(1),
      ArrowDown: () => this.chart.step(-1),
      ArrowUp: () => this.chart.step(1),
      Home: () => this.chart.read(0),
      End: () => this.chart.read(this.shown.places.length - 1),
      s: () => this.by("simulate").click(),
      l: () => this.by("log-y").click(),
      p: () => this._play(),
    };
    const call = calls[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!call) return;
    event.preventDefault();
    call();
  }

  // Play along the first knob that is a number and not the axis of the picture.
  _play() {
    const playing = this.knobs.playing;
    const first = this.about.axes.find((axis) => axis.stops && axis.name !== this.state.along());
    if (this.source.live && (playing || first)) this.knobs.togglePlay(playing || first.name);
  }

  // The state has changed: the old dots are of another point, and new numbers are asked for.
  changed(settled, asNew = false) {
    this._quiet();
    this.dots = null;
    this.state.remember(settled, asNew && location.hash !== "");
    clearTimeout(this.settling);
    if (this._simulating()) this.settling = setTimeout(() => this._begin(), settled ? 0 : 400);
    this._showSimulation();
    explore.tellVerdicts(this.by("verdicts"), null);
    this.settled = settled;
    this._ask();
    if (this.server > SLOW) this._showQuick();
  }

  // Where the server takes its time the page works out the curve by itself, at as many places as
  // it can at once, and the server follows.
  _showQuick() {
    const begun = performance.now();
    const quick = this.source.quick(this.state.text);
    this.quickly = quick !== null && performance.now() - begun < 1.5 * explore.AT_ONCE; // so it can next time
    if (quick) this._show(quick, this.state.text);
  }

  _show(shown, text) {
    this.shown = { ...shown, address: text };
    this._draw();
    this._tell(shown.problem || "");
  }

  measure() {
    const own = this.about.measures.map((m) => m.name);
    const first = this.about.predictions.length ? this.about.predictions[0].measure : own[0];
    return this.state.get("@measure", first);
  }

  async _ask() {
    if (this.asking) {
      if (this.asked === this.state.text) { // the hand has let go
        this.rested(true);
        return;
      }
      this.again = true;
      this.rested(false);
      if (this.server > HEAVY) this.source.leave(); // few places of where the hand is now come first
      return;
    }
    this.asking = true;
    const slow = setTimeout(() => {
      this.by("plot").setAttribute("aria-busy", "true");
      this._wait("working: the first curve of a phenomenon is compiled");
    }, 700);
    const text = this.state.text;
    this.asked = text;
    try {
      const shown = await this._curve(text);
      if (shown && (text === this.state.text || this.knobs.playing || !this.again)) this._show(shown, text);
    } catch (problem) {
      this._tell(problem.message);
      this.knobs.stop();
      this._blank(text);
    }
    clearTimeout(slow);
    if (this.source.live && this.settled && !this.again) this._prepare(text);
    this.by("plot").removeAttribute("aria-busy");
    this.asking = false;
    if (this.again) {
      this.again = false;
      this._ask();
    } else if (this.knobs.playing) setTimeout(() => this.knobs.stepPlay(), 60);
  }

  // The curve of an address; what there is of it before is drawn. Null if the page has moved on.
  async _curve(text) {
    const partial = (some) => {
      if (some && !this.again) this._show(some, text);
      return !this.again;
    };
    if (this.source.live && this.server > HEAVY && !this.quickly) {
      if (!partial(await this.source.few(text))) return null;
      if (!this.settled && !this.knobs.playing && !(await this._rests())) return null;
    }
    const begun = performance.now();
    const shown = await this.source.curve(text, partial);
    if (shown) this.server = performance.now() - begun;
    return shown;
  }

  // Say whether the hand rests: a whole curve that nobody waits for would keep few places waiting.
  _rests() {
    return new Promise((done) => {
      this.rested = done;
      setTimeout(() => done(true), REST);
    });
  }

  // While nothing moves: make ready what follows a hand where the whole curve takes too long.
  _prepare(text) {
    if (this.server > SLOW) this.source.learn(text);
    if (this.server <= HEAVY || this.warm) return;
    this.warm = true;
    this.source.few(text).catch(() => {}); // compiled now, not when it is waited for
  }

  // Of this address nothing can be drawn: what was drawn before is not to be read as its picture.
  _blank(text) {
    this.shown = null;
    this.by("plot").classList.add("stale");
    this.by("table").replaceChildren();
    this.by("reading").textContent = "";
    this._tellAbout(this.measure());
    document.body.dataset.shown = text;
  }

  _tell(line) {
    const message = this.by("message");
    message.classList.remove("waiting");
    message.textContent = line;
  }

  _wait(line) {
    const message = this.by("message");
    message.classList.add("waiting");
    message.textContent = line;
  }

  _lines(measure) {
    const mine = this.about.predictions.filter((p) => p.measure === measure);
    const lines = [];
    mine.forEach((p, i) => {
      const values = this.shown.curve[p.name];
      if (values && values.some((v) => v !== null)) lines.push({ name: p.name, values, slack: this.shown.slack[p.name], style: `t${i % 4}` });
    });
    let i = 0;
    const on = this.state.get("@decoys").split(";");
    for (const p of mine)
      for (const [name, values] of Object.entries(this.shown.decoys[p.name] || {}))
        if (on.includes(name)) lines.push({ name: mine.length > 1 ? `${name} (${p.name})` : name, values, decoy: true, style: `d${i++ % 6}` });
    return lines;
  }

  _breaks(measure) {
    const found = [];
    const n = explore.number;
    for (const b of this.about.breaks.filter((one) => one.axis === this.shown.axis && one.measure === measure)) {
      const place = this.shown.breaks[b.name] || {};
      const closed = Array.isArray(place.value) ? place.value.find((v) => v !== null) : place.value;
      if (closed !== undefined && closed !== null)
        found.push({ name: b.name, kind: "closed", at: closed, text: `${b.name}, closed form ${b.statement}: ${n(closed)}` });
      const at = place.located && place.located.value;
      if (at !== undefined && at !== null)
        found.push({ name: `${b.name}, in the curve`, kind: "located", at, text: `${b.name}, located in the curve of theory: ${n(at)}` });
      const measured = this.dots && this.dots.breaks && this.dots.breaks.find((one) => one.break === b.name && one.value !== null);
      if (measured)
        found.push({ name: b.name, kind: "measured", at: measured.value, low: measured.interval[0], high: measured.interval[1], text: `${b.name}, 95 % interval of the simulation around ${n(measured.value)}` });
    }
    return found;
  }

  // Draw what was said last, with the dots that are there.
  _draw() {
    const measure = this.measure();
    const { shown } = this;
    const unitOf = (list, name) => (list.find((one) => one.name === name) || { unit: "" }).unit;
    const lines = this._lines(measure);
    const breaks = this._breaks(measure);
    const dots = this.dots && this.dots.measures[measure] ? { places: this.dots.places, ...this.dots.measures[measure] } : null;
    const log = this.state.get("@log", `${explore.byFactors(shown.places) ? "x" : ""}${explore.wantsLog({ lines }) ? "y" : ""}`);
    const model = {
      places: shown.places,
      x: { name: shown.axis, unit: unitOf(this.about.axes, shown.axis), log: log.includes("x") && shown.places[0] > 0 },
      y: { name: measure, unit: unitOf(this.about.measures, measure), log: log.includes("y") },
      lines, breaks, dots,
    };
    this.by("plot").classList.remove("stale");
    this.chart.draw(model);
    this.by("log-x").checked = model.x.log;
    this.by("log-y").checked = model.y.log;
    this.by("measure").value = measure;
    this.by("preset").value = this.preset;
    explore.tellLegend(this.by("legend"), lines, breaks, dots);
    this._tellAbout(measure);
    explore.tellTable(this.by("table"), shown);
    document.body.dataset[shown.quick ? "quick" : "shown"] = shown.address;
  }

  // What is said of a measure whatever the knobs are at.
  _tellAbout(measure) {
    if (this.told !== measure) explore.tellFormulas(this.by("formulas"), this.about, measure);
    this.told = measure;
    const focused = document.activeElement && document.activeElement.dataset.decoy;
    const some = explore.tellDecoys(this.by("decoys"), this.about, this.state, measure, () => this.changed(true));
    this.by("decoys-part").hidden = !some;
    if (focused) for (const box of this.by("decoys").querySelectorAll("input")) if (box.dataset.decoy === focused) box.focus();
    const quoted = ([key, value]) => (/[^\w.=,:+-]/.test(value) ? `'${key}=${value}'` : `${key}=${value}`);
    this.by("command").textContent = `ci-theory predict ${this.about.name} ${this.state.words().map(quoted).join(" ")}`;
  }

  _tellReading(index) {
    const plot = this.by("plot");
    if (index < 0 || !this.shown) {
      this.by("reading").textContent = "";
      return;
    }
    const n = explore.number;
    const place = this.shown.places[index];
    const words = [`${this.shown.axis} ${n(place)}`];
    for (const line of this.chart.model.lines) {
      const slack = line.slack && line.slack[index] ? ` ± ${n(line.slack[index], 2)}` : "";
      words.push(`${line.name} ${n(line.values[index])}${slack}`);
    }
    const text = words.join(" · ");
    this.by("reading").textContent = text;
    plot.setAttribute("aria-valuenow", index);
    plot.setAttribute("aria-valuetext", text);
  }

  _simulating() {
    return Number(this.state.get("@dots", "0")) > 0;
  }

  _toggleDots() {
    if (!this._simulating()) {
      for (const id of ["replicates", "seed"]) if (this.state.get(`@${id}`) !== this.by(id).value) this.state.set(`@${id}`, this.by(id).value);
      this.state.set("@dots", this.by("dots").value);
    } else this.state.set("@dots", null);
    this.changed(true);
  }

  _showSimulation() {
    const on = this._simulating();
    const button = this.by("simulate");
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? "Stop" : "Simulate";
    if (on) this.by("dots").value = this.state.get("@dots");
    this.by("replicates").value = this.state.get("@replicates", "40");
    this.by("seed").value = this.state.get("@seed", "0");
    this.by("progress").hidden = true;
    if (this.source.live) this.by("progress-text").textContent = "";
  }

  _begin() {
    this._quiet();
    if (!this.source.live) return;
    const text = this.state.text;
    this.by("progress").hidden = false;
    this.by("progress").removeAttribute("value");
    this.by("progress-text").textContent = "compiling";
    let verdicts = null;
    this.stopDots = this.source.dots(text, (event) => {
      if (event === null) {
        this.stopDots = null;
        document.body.dataset.simulated = text;
        return;
      }
      if (event.verdicts) verdicts = event;
      this.dots = verdicts ? { ...event, breaks: verdicts.breaks } : event;
      this.by("progress").value = event.runs / event.of;
      this.by("progress-text").textContent = `${event.runs} of ${event.of} runs`;
      explore.tellVerdicts(this.by("verdicts"), verdicts);
      if (this.shown) this._draw();
    }, (line) => {
      this.stopDots = null;
      this.by("progress").hidden = true;
      this.by("progress-text").textContent = "";
      this._tell(line);
    });
  }

  _quiet() {
    if (this.stopDots) this.stopDots();
    this.stopDots = null;
  }
};

(async () => {
  try {
    const source = explore.source();
    explore.page = new explore.Page(source, await source.controls());
    explore.page.start();
  } catch (problem) {
    document.getElementById("title").textContent = "This page cannot be shown";
    const message = document.getElementById("message");
    message.textContent = problem.message;
  }
})();
