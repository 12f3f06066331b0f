// The table of all claims can be narrowed down: by verdict, chapter and section, and by words. Without this script it
// is whole.
document.addEventListener("DOMContentLoaded", () => {
  const table = [...document.querySelectorAll("table")].find((one) =>
    [...one.querySelectorAll("thead th")].map((cell) => cell.textContent).join() === "Verdict,Claim,Result,Place and name");
  if (!table) return;
  table.classList.add("kbe-claims");
  const rows = [...table.tBodies[0].rows].map((row) => ({
    row,
    text: row.textContent.toLowerCase(),
    verdict: row.cells[0].textContent.trim(),
    chapter: row.cells[3].querySelector("code").textContent.split(":")[0],
    section: row.cells[3].firstChild.textContent.split(/[,(]/)[0].trim(),
  }));
  const form = document.createElement("form");
  form.className = "kbe-filter";
  form.addEventListener("submit", (event) => event.preventDefault());
  const choices = ["verdict", "chapter", "section"].map((key) => field(form, key, choice(rows, key)));
  const words = field(form, "words", Object.assign(document.createElement("input"), { type: "search" }));
  const status = form.appendChild(document.createElement("output"));
  table.closest(".cell_output").prepend(form);
  form.addEventListener("input", narrow);
  narrow();
  // A link to one claim's row would lead nowhere if the row were hidden.
  window.addEventListener("hashchange", () => { form.reset(); narrow(); });

  function narrow() {
    let seen = 0;
    for (const one of rows) {
      const fits = choices.every((choice) => !choice.value || one[choice.name] === choice.value);
      one.row.hidden = !(fits && one.text.includes(words.value.trim().toLowerCase()));
      seen += !one.row.hidden;
    }
    status.textContent = `${seen} of ${rows.length} claims`;
  }
});

function choice(rows, key) {
  const select = document.createElement("select");
  const values = [...new Set(rows.map((one) => one[key]))].sort();
  for (const value of ["", ...values]) select.add(new Option(value || "all", value));
  return select;
}

function field(form, name, control) {
  const label = form.appendChild(document.createElement("label"));
  label.append(name, " ", control);
  control.name = name;
  return control;
}
