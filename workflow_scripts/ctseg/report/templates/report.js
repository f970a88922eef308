"use strict";

// Sort key of a cell: its number, or its text if it is not a number; null for a missing value, which comes last.
function sortKey(row, column) {
  const text = row.cells[column].textContent.trim();
  if (text === "–") return null;
  return text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
}

function compareKeys(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}

function sortBy(table, column) {
  const head = table.tHead.rows[0].cells[column];
  const rising = head.getAttribute("aria-sort") !== "ascending";
  for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", rising ? "ascending" : "descending");
  const keyed = [...table.tBodies[0].rows].map((row) => ({ row, key: sortKey(row, column) }));
  keyed.sort((a, b) => {
    const order = compareKeys(a.key, b.key);
    return rising || a.key === null || b.key === null ? order : -order;
  });
  table.tBodies[0].append(...keyed.map((entry) => entry.row));
}

function filterRows(table, words) {
  const wanted = words.toLowerCase().split(/\s+/);
  for (const row of table.tBodies[0].rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !wanted.every((word) => text.includes(word));
  }
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    const button = document.createElement("button");
    button.textContent = cell.textContent;
    button.addEventListener("click", () => sortBy(table, column));
    cell.replaceChildren(button);
  });
  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = "Rows with these words";
  field.setAttribute("aria-label", "Filter the rows");
  field.addEventListener("input", () => filterRows(table, field.value.trim()));
  table.parentElement.before(field);
}

function startViewer() {
  const volumes = JSON.parse(document.getElementById("previews").textContent);
  const chosen = document.getElementById("viewer-case");
  chosen.append(...volumes.map((volume) => new Option(volume.name)));
  document.getElementById("viewer").hidden = false;
  const overlays = [
    { box: "viewer-reference", colour: "#56b4e9", shown: true, has: (value) => (value & 1) !== 0 },
    { box: "viewer-prediction", colour: "#e69f00", shown: true, has: (value) => (value & 2) !== 0 },
  ].filter((overlay) => document.getElementById(overlay.box)); // without labels the page has no box for them
  const viewer = new Viewer(document.querySelector("#viewer .planes"), overlays);
  viewer.show(volumes[0]);
  chosen.addEventListener("change", () => viewer.show(volumes[chosen.selectedIndex]));
  for (const overlay of overlays) {
    const box = document.getElementById(overlay.box);
    box.addEventListener("change", () => {
      overlay.shown = box.checked;
      viewer.draw();
    });
  }
}

if (document.getElementById("previews") && "DecompressionStream" in window) startViewer();
