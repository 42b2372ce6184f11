"use strict";
// The address of the page, which holds all that it shows: pairs key=value behind the #.
window.explore = window.explore || {};

explore.read = function (text) {
  const pairs = new Map();
  for (const part of text.replace(/^#/, "").split("&")) {
    if (!part) continue;
    let word;
    try {
      word = decodeURIComponent(part);
    } catch {
      throw new Error(`'${part}' in the address is not well written (%)`);
    }
    const at = word.indexOf("=");
    const key = at < 0 ? "" : word.slice(0, at).trim();
    const value = at < 0 ? "" : word.slice(at + 1).trim();
    if (!key || !value) throw new Error(`'${word}': expected key=value, for example noise=0.5`);
    if (pairs.has(key)) throw new Error(`${key} is given twice in the address`);
    pairs.set(key, value);
  }
  return pairs;
};

explore.quoted = function (text) {
  return encodeURIComponent(text)
    .replace(/%(40|2C|3A|5B|5D|2B)/g, (_, code) => String.fromCharCode(parseInt(code, 16)))
    .replace(/[!*']/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
};

explore.written = function (pairs) {
  return [...pairs].map(([key, value]) => `${explore.quoted(key)}=${explore.quoted(value)}`).join("&");
};

// Whether a word is a list or a range, as the command line reads it.
explore.isRange = function (text) {
  return /[(),]/.test(text) || /^\s*\[.*\]\s*$/.test(text);
};

explore.State = class {
  constructor(first) {
    this.first = first;
    this.pairs = explore.read(first);
    this._timer = 0;
  }

  get text() {
    return explore.written(this.pairs);
  }

  get(key, otherwise = "") {
    return this.pairs.has(key) ? this.pairs.get(key) : otherwise;
  }

  // Null takes a key away: what is not there has its default.
  set(key, value) {
    if (value === null) this.pairs.delete(key);
    else this.pairs.set(key, String(value));
  }

  replace(text) {
    this.pairs = explore.read(text);
  }

  // The axis along which is drawn: the first parameter that has a range.
  along() {
    for (const [key, value] of this.pairs)
      if (!key.startsWith("@") && explore.isRange(value)) return key;
    return "";
  }

  words() {
    return [...this.pairs].filter(([key]) => !key.startsWith("@"));
  }

  // Browsers allow a page only so many changes of its address a second.
  remember(now, asNew = false) {
    clearTimeout(this._timer);
    const write = () => {
      const wanted = `#${this.text}`;
      if (wanted === location.hash) return;
      if (asNew) history.pushState(null, "", wanted);
      else history.replaceState(null, "", wanted);
    };
    if (now) write();
    else this._timer = setTimeout(write, 150);
  }
};
