// Not a module, so that it runs before the first paint. Applies the user's colour scheme, else the system's.
"use strict";
(() => {
  const name = "topitems.theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try {
    chosen = localStorage.getItem(name);
  } catch {
    // Storage is forbidden here: use the system's.
  }
  const show = () => {
    root.dataset.theme = chosen === "dark" || chosen === "light" ? chosen : system.matches ? "dark" : "light";
    const button = document.getElementById("theme");
    if (button) button.setAttribute("aria-pressed", String(root.dataset.theme === "dark"));
  };
  show();
  system.addEventListener("change", show);
  addEventListener("DOMContentLoaded", () => {
    show();
    document.getElementById("theme").addEventListener("click", () => {
      chosen = root.dataset.theme === "dark" ? "light" : "dark";
      try {
        localStorage.setItem(name, chosen);
      } catch {
        // The choice applies to this visit only.
      }
      show();
    });
  });
})();
