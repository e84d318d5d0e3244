"use strict";
// The slider of a figure moves the edge; its radio buttons choose what lies left of it.
for (const figure of document.querySelectorAll(".swipe")) {
  const stack = figure.querySelector(".stack");
  const layers = figure.querySelectorAll(".over");
  figure.addEventListener("input", (event) => {
    if (event.target.type === "range") {
      stack.style.setProperty("--cut", event.target.value + "%");
    } else {
      layers.forEach((layer, place) => layer.classList.toggle("off", place !== +event.target.value));
    }
  });
}
// A column header sorts its table: first click descending for numbers, ascending for names.
for (const table of document.querySelectorAll(".sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.value;
    return text === undefined ? cell.textContent : text === "" ? NaN : Number(text);
  };
  const compare = (a, b) => {
    if (typeof a === "string") return a.localeCompare(b, undefined, { numeric: true });
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(b) - Number.isNaN(a);
    return a === b ? 0 : a < b ? -1 : 1;
  };
  heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
    const rows = [...body.rows];
    const numeric = rows.length > 0 && rows[0].cells[column].dataset.value !== undefined;
    const before = head.getAttribute("aria-sort");
    const up = before ? before === "descending" : !numeric;
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    rows.sort((a, b) => (up ? 1 : -1) * compare(value(a, column), value(b, column)));
    body.append(...rows);
  }));
}
const filter = document.querySelector(".filter input");
filter?.addEventListener("input", () => {
  const wanted = filter.value.toLowerCase();
  for (const row of document.querySelectorAll("#items tbody tr")) {
    row.hidden = !row.querySelector("th").textContent.toLowerCase().includes(wanted);
  }
});
