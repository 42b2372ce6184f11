"use strict";
// Where numbers come from: the server that sent the page, or what a page without one carries.
window.explore = window.explore || {};

explore.Served = class {
  constructor(name) {
    this.base = `of/${encodeURIComponent(name)}`;
    this.live = true;
  }

  async _get(path) {
    let answer;
    try {
      answer = await fetch(`${this.base}/${path}`);
    } catch {
      throw new Error("the server does not answer: is ci-theory explore still running?");
    }
    if (answer.ok) return answer;
    let told;
    try {
      told = (await answer.json()).error;
    } catch {
      told = `the server answers ${answer.status}`;
    }
    throw new Error(told);
  }

  async controls() {
    return (await this._get("controls")).json();
  }

  async curve(text) {
    return (await this._get(`curve?${text}`)).json();
  }

  async sweep(text) {
    return (await this._get(`sweep?${text}`)).text();
  }

  // Calls back with every event until the end, and then with null; returns how to stop.
  dots(text, told, failed) {
    const stream = new EventSource(`${this.base}/dots?${text}`);
    const over = (call) => {
      stream.close();
      call();
    };
    stream.addEventListener("dots", (event) => told(JSON.parse(event.data)));
    stream.addEventListener("end", () => over(() => told(null)));
    stream.addEventListener("failed", (event) => over(() => failed(JSON.parse(event.data).error)));
    stream.onerror = () =>
      over(async () => {
        try { // an event stream does not tell what it was refused with
          await this.sweep(text);
          failed("the simulation was cut off");
        } catch (problem) {
          failed(problem.message);
        }
      });
    return () => stream.close();
  }
};

// A page that stands alone: what was worked out when it was written, and theory that runs here.
explore.Alone = class {
  constructor(data) {
    this.data = data;
    this.live = false;
    this.movable = Boolean(data.theory);
  }

  async controls() {
    return this.data.controls;
  }

  async curve(text) {
    const key = explore.written(new Map([...explore.read(text)].filter(([k]) => !k.startsWith("@"))));
    if (key in this.data.curves) return this.data.curves[key];
    throw new Error(
      "this copy of the page has no server behind it: it shows the presets; for everything else " +
        `run ci-theory explore ${this.data.controls.name}`,
    );
  }
};

explore.source = function () {
  const carried = document.getElementById("carried");
  if (carried) return new explore.Alone(JSON.parse(carried.textContent));
  return new explore.Served(decodeURIComponent(location.pathname.split("/").pop()));
};
