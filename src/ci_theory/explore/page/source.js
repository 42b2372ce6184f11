"use strict";
// Where numbers come from: the server that sent the page, or what a page without one carries.
window.explore = window.explore || {};

explore.Served = class {
  constructor(name) {
    this.base = `of/${encodeURIComponent(name)}`;
    this.live = true;
    this.loading = false;
    this.useless = new Set();
    this.failed = new Map();
  }

  async _get(path, signal) {
    let answer;
    try {
      answer = await fetch(`${this.base}/${path}`, { signal });
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
    this.about = await (await this._get("controls")).json();
    return this.about;
  }

  // What the page can work out by itself at once; null if it has no theory for that point, or one
  // that takes too long for a curve: after three such tries along an axis it is not tried again.
  quick(text) {
    const work = this._work(text);
    const failed = work ? this.failed.get(work.along) || 0 : 0;
    if (!work || failed >= 3) return null;
    const end = performance.now() + 2 * explore.AT_ONCE;
    while (!work.run(explore.AT_ONCE) && work.rows.length < explore.FEWEST && performance.now() < end);
    const enough = work.done || work.rows.length >= explore.FEWEST;
    this.failed.set(work.along, enough ? 0 : failed + 1);
    try {
      return enough ? { ...work.result(), quick: true } : null;
    } catch {
      return null; // the server says what is wrong
    }
  }

  _work(text) {
    try {
      const work = new explore.Work(this.about, text);
      return work.carried ? work : null;
    } catch {
      return null; // the server says what is wrong
    }
  }

  // Load the theory of a point, unless it is there: its script knows nothing of other static values,
  // and is of no use along an axis that is built into it.
  learn(text) {
    const along = new explore.State(text).along();
    if (this.loading || this.useless.has(along) || this._work(text)) return;
    this.loading = true;
    if (!window.runtime) this._script("page/runtime.js");
    this._script(`${this.base}/theory?${text}`).addEventListener("load", () => {
      this.loading = false;
      if (!this._work(text)) this.useless.add(along);
    });
  }

  _script(path) {
    const script = document.createElement("script");
    script.async = false;
    script.src = path;
    return document.head.appendChild(script);
  }

  // Null if that is not waited for any more.
  async curve(text) {
    this.waiting = new AbortController();
    const { signal } = this.waiting;
    try {
      return await (await this._get(`curve?${text}`, signal)).json();
    } catch (problem) {
      if (signal.aborted) return null;
      throw problem;
    }
  }

  // Wait no longer for the curve that was asked for last.
  leave() {
    if (this.waiting) this.waiting.abort();
  }

  // The same at few places: what a slow theory can say while a hand moves.
  async few(text) {
    return { ...(await (await this._get(`few?${text}`)).json()), quick: true };
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

explore.source = function () {
  const carried = document.getElementById("carried");
  if (carried) return new explore.Alone(JSON.parse(carried.textContent));
  return new explore.Served(decodeURIComponent(location.pathname.split("/").pop()));
};
