"use strict";
// The list of phenomena; one that cannot be loaded says why and leaves the others in peace.
(async () => {
  const list = document.getElementById("list");
  try {
    const found = window.catalogue || await (await fetch("catalogue")).json();
    for (const one of found) {
      const item = list.appendChild(document.createElement("li"));
      if (one.error) {
        item.className = "broken";
        item.textContent = `${one.name}: ${one.error}`;
        continue;
      }
      const link = item.appendChild(document.createElement("a"));
      link.href = window.catalogue ? `${one.name}.html` : one.name;
      link.textContent = one.title;
      const told = item.appendChild(document.createElement("p"));
      told.textContent = one.question;
      const name = told.appendChild(document.createElement("code"));
      name.textContent = one.name;
    }
  } catch (problem) {
    document.getElementById("message").textContent = `the list cannot be had: ${problem.message}`;
  }
})();
