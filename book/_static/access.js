// What the theme leaves out for readers who use a keyboard or a screen reader.
document.addEventListener("DOMContentLoaded", async () => {
  const home = document.querySelector(".sidebar-primary-item:first-child");
  home?.setAttribute("role", "navigation");
  home?.setAttribute("aria-label", "First page");
  // The role that Sphinx gives to an entry of a bibliography is withdrawn.
  for (const entry of document.querySelectorAll(".citation-list > .citation")) entry.setAttribute("role", "listitem");
  await window.MathJax?.startup?.promise; // a formula has its width once it is typeset
  addEventListener("resize", reachScrolled);
  reachScrolled();
  // A header that is nothing but a formula counts as empty unless the formula has a name.
  for (const formula of document.querySelectorAll("th math")) formula.setAttribute("aria-label", formula.textContent);
});

// What scrolls by itself can be scrolled by the keyboard.
function reachScrolled() {
  const boxes = ".pst-scrollable-table-container, .cell_output .output, div.math, div.math mjx-container";
  for (const box of document.querySelectorAll(boxes)) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
