// What the theme leaves out for readers who use a keyboard or a screen reader.
document.addEventListener("DOMContentLoaded", () => {
  const home = document.querySelector(".sidebar-primary-item:first-child");
  home?.setAttribute("role", "navigation");
  home?.setAttribute("aria-label", "First page");
  // What scrolls by itself can be scrolled by the keyboard.
  for (const box of document.querySelectorAll(".pst-scrollable-table-container, .cell_output .output, div.math")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
});
