// As much of a browser as the pages need: elements, events, a clock, and what is asked of a server.
// Nothing has a layout: the picture is as wide as the page takes it at least to be.
"use strict";
var window = globalThis;

// ---- a clock that passes when it is told to ------------------------------------------------------
var clock = { now: 0, waiting: [], made: 0 };
var performance = { now: () => clock.now };
globalThis.setTimeout = (call, delay = 0) => {
  clock.waiting.push({ id: ++clock.made, at: clock.now + delay, call });
  return clock.made;
};
globalThis.clearTimeout = (id) => { clock.waiting = clock.waiting.filter((one) => one.id !== id); };
function pass(time) {
  const end = clock.now + time;
  for (;;) {
    const due = clock.waiting.filter((one) => one.at <= end).sort((a, b) => a.at - b.at || a.id - b.id)[0];
    if (!due) break;
    clearTimeout(due.id);
    clock.now = Math.max(clock.now, due.at);
    due.call();
  }
  clock.now = end;
}

// ---- elements ------------------------------------------------------------------------------------
class Element {
  constructor(tag) {
    Object.assign(this, { tag, attributes: {}, childNodes: [], dataset: {}, listeners: {}, parentElement: null });
    Object.assign(this, { value: "", checked: false, disabled: false, hidden: false, clientWidth: 0 });
    const names = () => this.className.split(" ").filter(Boolean);
    const put = (list) => this.setAttribute("class", list.join(" "));
    this.classList = {
      contains: (name) => names().includes(name),
      add: (name) => put([...names().filter((one) => one !== name), name]),
      remove: (name) => put(names().filter((one) => one !== name)),
      toggle: (name, on) => this.classList[on ? "add" : "remove"](name),
    };
  }

  setAttribute(name, value) {
    this.attributes[name] = String(value);
    if (name === "value" || name === "hidden") this[name] = name === "hidden" || String(value);
    if (name.startsWith("data-")) this.dataset[name.slice(5)] = String(value);
  }

  getAttribute(name) { return name in this.attributes ? this.attributes[name] : null; }
  removeAttribute(name) { delete this.attributes[name]; }
  get className() { return this.attributes.class || ""; }
  set className(value) { this.setAttribute("class", value); }
  get children() { return this.childNodes.filter((one) => one instanceof Element); }

  append(...nodes) {
    for (const node of nodes) {
      if (node instanceof Element) node.parentElement = this;
      this.childNodes.push(node instanceof Element ? node : String(node));
    }
  }

  appendChild(node) { this.append(node); return node; }
  replaceChildren(...nodes) { this.childNodes = []; this.append(...nodes); }
  get textContent() { return this.childNodes.map((one) => (one instanceof Element ? one.textContent : one)).join(""); }
  set textContent(text) { this.replaceChildren(...(text === "" ? [] : [text])); }

  addEventListener(kind, call) { (this.listeners[kind] ||= []).push(call); }
  fire(kind, event = {}) {
    const sent = { preventDefault() { sent.prevented = true; }, ...event };
    for (const call of this.listeners[kind] || []) call(sent);
    return Boolean(sent.prevented);
  }
  click() {
    if (this.disabled) return;
    if (this.tag === "a" && this.download) downloads.push([this.download, this.href]);
    if (this.attributes.type === "checkbox") { this.checked = !this.checked; this.fire("change"); }
    this.fire("click");
  }
  focus() { document.activeElement = this; }
  getBoundingClientRect() { return { left: 0 }; }

  matches(one) {
    const [, tag, rest] = /^([\w-]*|\*)(.*)$/.exec(one);
    if (tag && tag !== "*" && tag !== this.tag) return false;
    return (rest.match(/[.#][\w-]+|\[[^\]]+\]/g) || []).every((part) => {
      if (part[0] === ".") return this.classList.contains(part.slice(1));
      if (part[0] === "#") return this.attributes.id === part.slice(1);
      const [name, value] = part.slice(1, -1).split("=");
      return name in this.attributes && (value === undefined || this.attributes[name] === value);
    });
  }
  querySelectorAll(text) {
    const [first, ...rest] = text.split(" ");
    const found = this.children.flatMap((one) => [...(one.matches(first) ? [one] : []), ...one.querySelectorAll(first)]);
    return rest.length ? found.flatMap((one) => one.querySelectorAll(rest.join(" "))) : found;
  }
  querySelector(text) { return this.querySelectorAll(text)[0] || null; }
  closest(text) { return this.matches(text) ? this : this.parentElement && this.parentElement.closest(text); }
  cloneNode() {
    const copy = new Element(this.tag);
    for (const [name, value] of Object.entries(this.attributes)) copy.setAttribute(name, value);
    copy.append(...this.childNodes.map((one) => (one instanceof Element ? one.cloneNode() : one)));
    return copy;
  }
  get markup() {
    const pairs = Object.entries(this.attributes).map(([name, value]) => ` ${name}="${value}"`).join("");
    const inner = this.childNodes.map((one) => (one instanceof Element ? one.markup : one)).join("");
    return `<${this.tag}${pairs}>${inner}</${this.tag}>`;
  }
}

function grown([tag, attributes, ...inside]) {
  const made = new Element(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...inside.map((one) => (Array.isArray(one) ? grown(one) : one)));
  return made;
}

var document = {
  title: "",
  head: new Element("head"),
  body: new Element("body"),
  activeElement: null,
  createElement: (tag) => new Element(tag),
  createElementNS: (_, tag) => new Element(tag),
  importNode: (node) => node,
  getElementById: (id) => document.body.querySelector(`#${id}`),
};
var $ = (text) => document.body.querySelector(text);
var $$ = (text) => document.body.querySelectorAll(text);

// ---- the rest of a browser -----------------------------------------------------------------------
var ResizeObserver = class { observe() {} };
var reduced = false;
var matchMedia = (query) => ({ matches: reduced && query.includes("reduce") });
var went = []; // [how, hash] of every change of the address by the page
var location = {
  at: "",
  pathname: "/toy",
  get hash() { return this.at; },
  set hash(text) { this.at = text === "" || text.startsWith("#") ? text : `#${text}`; },
  get href() { return `http://here/toy${this.at}`; },
};
var history = {
  pushState: (_, __, to) => { location.hash = to; went.push(["push", to]); },
  replaceState: (_, __, to) => { location.hash = to; went.push(["replace", to]); },
};
var heard = {};
var addEventListener = (kind, call) => { (heard[kind] ||= []).push(call); };
var copied = [];
var navigator = { clipboard: { writeText: async (text) => { copied.push(text); } } };
var getComputedStyle = (one) => ({ getPropertyValue: (name) => `${name} of ${one.tag}` });
var XMLSerializer = class { serializeToString(one) { return one.markup; } };
var DOMParser = class {
  parseFromString(text) {
    const found = new Element("math");
    found.append(text.replace(/^<math>|<\/math>$/g, ""));
    return { querySelector: () => found };
  }
};
var downloads = []; // [name, text]
var Blob = class { constructor(parts, about) { Object.assign(this, { text: parts.join(""), type: about.type }); } };
var URL = { createObjectURL: (blob) => blob.text, revokeObjectURL() {} };

// What is asked of a server, and what it answers: path -> [status, text].
var asked = [];
var answers = {};
var AbortController = class {
  constructor() { this.signal = { aborted: false, heard: () => {} }; }
  abort() { this.signal.aborted = true; this.signal.heard(); }
};
var fetch = async (path) => {
  asked.push(path);
  if (!(path in answers)) throw new TypeError("refused");
  const [status, text] = answers[path];
  return { ok: status === 200, status, json: async () => JSON.parse(text), text: async () => text };
};
var streams = [];
var EventSource = class {
  constructor(path) {
    Object.assign(this, { path, open: true, listeners: {} });
    streams.push(this);
  }
  addEventListener(kind, call) { this.listeners[kind] = call; }
  close() { this.open = false; }
  send(kind, data) { if (this.open) this.listeners[kind]({ data: JSON.stringify(data) }); }
};
