"use strict";
const fields = [...document.querySelectorAll("input[data-row]")];
const done = document.getElementById("done");
const note = document.getElementById("note");
const key = "lsr-sheet-" + document.body.dataset.sheet;

// What was typed survives a closed window, but not in every private window.
let kept = {};
try {
  kept = JSON.parse(localStorage.getItem(key)) || {};
} catch {
  note.textContent = "This browser keeps no entries: save before you close the page.";
}

function keep() {
  try {
    localStorage.setItem(key, JSON.stringify(kept));
  } catch {
    note.textContent = "Entries cannot be kept here: save before you close the page.";
  }
}

// The entry with a decimal point, "" when blank, null when it is no percentage.
function percent(field) {
  const text = field.value.trim().replace(",", ".");
  if (text === "") return "";
  return /^(\d+\.?\d*|\.\d+)$/.test(text) && Number(text) <= 100 ? String(Number(text)) : null;
}

function show() {
  for (const field of fields) {
    field.setCustomValidity(percent(field) === null ? "A number from 0 to 100, or nothing" : "");
  }
  const filled = fields.filter((field) => percent(field)).length;
  done.textContent = `${filled} of ${fields.length} filled in`;
}

fields.forEach((field, index) => {
  field.value = kept[field.dataset.row] ?? "";
  field.addEventListener("input", () => {
    kept[field.dataset.row] = field.value;
    keep();
    show();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    const next = fields[index + 1];
    if (!next) return;
    next.focus();
    next.closest("tr").scrollIntoView({ block: "center" });
  });
});

for (const picture of document.images) {
  picture.addEventListener("click", () => picture.classList.toggle("large"));
}

document.getElementById("save").addEventListener("click", () => {
  const wrong = fields.find((field) => percent(field) === null);
  if (wrong) {
    wrong.closest("tr").scrollIntoView({ block: "center" });
    wrong.reportValidity();
    return;
  }
  const lines = [document.body.dataset.header, ...fields.map((field) => `${field.dataset.row},${percent(field)}`)];
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
  link.download = "sheet.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
});

show();
