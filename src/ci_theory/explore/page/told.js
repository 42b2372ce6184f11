"use strict";
// What is told in words: formulas, decoys, verdicts, the legend and the table.
window.explore = window.explore || {};

// MathML of our own formulas, and of nobody else's; it is parsed apart, so that nothing in it runs.
explore.maths = function (parent, mathml, display) {
  const parsed = new DOMParser().parseFromString(`<math>${mathml}</math>`, "text/html");
  const math = document.importNode(parsed.querySelector("math"), true);
  math.setAttribute("display", display);
  parent.append(math);
};

explore.tellFormulas = function (place, about, measure) {
  place.replaceChildren();
  const mine = about.predictions.filter((p) => p.measure === measure);
  if (!mine.length) explore.element(place, "p", {}, "No formula is known for this measure: it is simulated only.");
  const told = new Set();
  for (const prediction of mine) {
    const part = explore.element(place, "article", { class: "formula" });
    explore.element(part, "h3", {}, prediction.name);
    const stated = about.formulas.filter((f) => f.predictions.includes(prediction.name) && !told.has(f.name));
    for (const one of stated) {
      told.add(one.name);
      explore.tellStatement(part, one);
    }
    explore.element(part, "p", { class: "statement" }, prediction.statement);
    explore.element(part, "p", { class: "small" }, `Holds: ${prediction.scope}. Slack: ${prediction.order}. Source: ${prediction.source}.`);
    explore.tellSymbols(part, stated);
  }
  const others = about.formulas.filter((f) => !f.predictions.length);
  if (!others.length) return;
  const part = explore.element(place, "details");
  explore.element(part, "summary", {}, "Other formulas of this phenomenon");
  for (const one of others) explore.tellStatement(part, one);
  explore.tellSymbols(part, others);
};

explore.tellStatement = function (part, one) {
  const figure = explore.element(part, "figure");
  const maths = explore.element(figure, "div", { class: "maths", tabindex: "0", role: "group", "aria-label": one.title });
  explore.maths(maths, one.mathml, "block");
  explore.element(figure, "figcaption", {}, `${one.title}. ${one.regime}; ${one.source}`);
};

explore.tellSymbols = function (part, statements) {
  const symbols = new Map(statements.flatMap((f) => f.symbols.map((s) => [s.mathml, s.meaning])));
  if (!symbols.size) return;
  const list = explore.element(part, "dl", { class: "symbols" });
  for (const [mathml, meaning] of symbols) {
    explore.maths(explore.element(list, "dt"), mathml, "inline");
    explore.element(list, "dd", {}, meaning);
  }
};

explore.tellDecoys = function (place, about, state, measure, changed) {
  const mine = about.predictions.filter((p) => p.measure === measure).map((p) => p.name);
  const fit = about.decoys.filter((d) => d.against.some((name) => mine.includes(name)));
  const on = state.get("@decoys").split(";").filter(Boolean);
  place.replaceChildren();
  for (const decoy of fit) {
    const label = explore.element(explore.element(place, "li"), "label", { class: "check" });
    const box = explore.element(label, "input", { type: "checkbox", "data-decoy": decoy.name });
    box.checked = on.includes(decoy.name);
    box.addEventListener("change", () => {
      const left = state.get("@decoys").split(";").filter((name) => name && name !== decoy.name);
      if (box.checked) left.push(decoy.name);
      state.set("@decoys", left.length ? left.join(";") : null);
      changed();
    });
    const words = explore.element(label, "span");
    explore.element(words, "strong", {}, decoy.name);
    words.append(`: ${decoy.why}`);
  }
  return fit.length;
};

explore.tellLegend = function (place, lines, breaks, dots) {
  place.replaceChildren();
  const entry = (style, text) => {
    const item = explore.element(place, "li");
    explore.element(item, "span", { class: `key ${style}`, "aria-hidden": "true" });
    item.append(text);
  };
  for (const line of lines) entry(line.decoy ? `decoy ${line.style}` : line.style, line.decoy ? `decoy: ${line.name}` : `theory: ${line.name}`);
  if (lines.some((line) => line.slack && line.slack.some((v) => v > 0))) entry("slack", "slack of the formula at finite size");
  for (const one of breaks) entry(`break-key ${one.kind}`, one.text);
  if (dots) entry("dot-key", "simulated: mean and 95 % interval");
};

explore.tellVerdicts = function (place, event) {
  place.replaceChildren();
  if (!event || !event.verdicts) return;
  explore.element(place, "h3", {}, event.done ? "Verdict of this simulation" : "Verdict so far");
  const list = explore.element(place, "ul", { class: "plain" });
  const row = (verdict, name, why) => {
    const item = explore.element(list, "li");
    explore.element(item, "span", { class: `chip ${verdict}` }, verdict.replaceAll("_", " "));
    explore.element(item, "strong", {}, ` ${name}: `);
    item.append(why);
  };
  for (const one of event.verdicts) row(one.verdict, one.prediction, one.reason);
  for (const one of event.breaks) {
    const n = (value, open) => (value === null ? open : explore.number(value));
    const [low, high] = one.interval;
    const found = one.value === null ? "" : `located at ${n(one.value)} [${n(low, "-∞")}, ${n(high, "∞")}]`;
    const by = one.predicted === null ? "" : `predicted ${n(one.predicted)}`;
    row(one.verdict, one.break, [found, by, one.why].filter(Boolean).join("; "));
  }
};

explore.tellTable = function (table, shown) {
  table.replaceChildren();
  if (!shown.table) return;
  const names = Object.keys(shown.table.observables);
  const head = explore.element(explore.element(table, "thead"), "tr");
  for (const name of [shown.axis, ...names]) explore.element(head, "th", { scope: "col" }, name);
  const body = explore.element(table, "tbody");
  shown.places.forEach((place, i) => {
    const row = explore.element(body, "tr");
    explore.element(row, "th", { scope: "row", "data-value": place }, explore.number(place));
    for (const name of names) {
      const { value, valid, status } = shown.table.observables[name];
      const cell = explore.element(row, "td", { "data-name": name, "data-value": value[i] === null ? "" : value[i], "data-status": status[i], "data-valid": valid[i] });
      cell.textContent = `${explore.number(value[i])}${valid[i] && status[i] === "OK" ? "" : "*"}`;
    }
  });
  const foot = explore.element(explore.element(table, "tfoot"), "tr");
  explore.element(foot, "td", { colspan: names.length + 1 }, "* outside the formula's scope, or no honest error bar: not judged");
};
