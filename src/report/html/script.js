"use strict";
// Filters what is on the page. What is chosen is kept in the address, so that a link shows the same.
const form = document.getElementById("filter");
const axes = ["suite", "agent", "verdict", "requirement"];
const all = (selector) => Array.from(document.querySelectorAll(selector));
const entry = (element) => ({
  element,
  seen: true,
  data: element.dataset,
  text: null,
});
const rows = all("#scenarios tbody tr").map(entry);
const others = all("[data-verdict]:not(#scenarios tr)").map(entry);
const blocks = all("#scenarios tbody");
const cells = all("[data-column]");
const requirements = all("article.requirement");
const more = all(".more");
const sections = all("section:has(> .nothing)");

function fits(entry, wanted) {
  for (const axis of axes) {
    const value = wanted[axis];
    const has = entry.data[axis];
    // A row without an agent of its own, such as a requirement's, is of every agent.
    if (!value || (axis === "agent" && has === undefined)) continue;
    if (axis === "requirement" ? !` ${has} `.includes(` ${value} `) : has !== value) return false;
  }
  if (!wanted.text) return true;
  entry.text ??= entry.element.textContent.toLowerCase();
  return entry.text.includes(wanted.text);
}

function show(entries, wanted) {
  let count = 0;
  for (const entry of entries) {
    const seen = fits(entry, wanted);
    if (seen) count += 1;
    if (seen !== entry.seen) {
      entry.seen = seen;
      entry.element.hidden = !seen;
    }
  }
  return count;
}

function apply() {
  const wanted = Object.fromEntries(new FormData(form));
  wanted.text = wanted.text.trim().toLowerCase();
  const shown = show(rows, wanted);
  // How high a block is that is out of view: the page's length is right without laying it out.
  for (const block of blocks) {
    const seen = Array.from(block.rows).filter((row) => !row.hidden).length;
    block.hidden = seen === 0;
    block.style.setProperty("--seen", seen);
  }
  show(others, wanted);
  for (const cell of cells) cell.hidden = wanted.agent !== "" && cell.dataset.column !== wanted.agent;
  for (const rest of more) rest.hidden = !rest.querySelector(".case:not([hidden])");
  for (const article of requirements) {
    if (!article.dataset.verdict) article.hidden = !article.querySelector(".case:not([hidden])");
  }
  for (const section of sections) {
    const left = section.querySelector("article:not([hidden]), tbody tr:not([hidden])");
    section.querySelector(":scope > .nothing").hidden = left !== null;
  }
  const number = (count) => count.toLocaleString("en");
  document.getElementById("shown").textContent = `${number(shown)} of ${number(rows.length)} scenarios`;
}

function remember() {
  const chosen = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  history.replaceState(null, "", chosen.size ? `#${chosen}` : location.pathname + location.search);
}

// Whether the address says what to show, and not where to go to.
function recall() {
  const address = decodeURIComponent(location.hash.slice(1));
  if (!address.includes("=")) return false;
  const chosen = new URLSearchParams(location.hash.slice(1));
  for (const field of form.elements) {
    if (field.name) field.value = chosen.get(field.name) ?? "";
    if (field.tagName === "SELECT" && field.selectedIndex < 0) field.value = "";
  }
  return true;
}

form.addEventListener("input", () => { apply(); remember(); });
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(() => { apply(); remember(); }));
window.addEventListener("hashchange", () => {
  if (recall()) {
    apply();
    form.scrollIntoView();
  }
});
document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    form.elements.text.focus();
  }
});
// On paper nothing can be opened.
let opened = [];
window.addEventListener("beforeprint", () => {
  opened = all("details:not([open])");
  for (const one of opened) one.open = true;
});
window.addEventListener("afterprint", () => {
  for (const one of opened) one.open = false;
});
form.hidden = false;
recall();
apply();
