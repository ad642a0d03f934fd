// Light, dark, or as the system is set. Runs before the first paint, so that nothing flashes.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const ORDER = ["system", "light", "dark"];
  const NAMES = { system: "as the system is set", light: "light", dark: "dark" };
  let chosen = "system";
  try {
    chosen = localStorage.getItem("theme") ?? "system";
  } catch {
    // Storage is switched off: the choice lasts as long as the page.
  }
  if (!ORDER.includes(chosen)) chosen = "system";

  function show() {
    document.documentElement.dataset.theme = chosen === "system" ? (system.matches ? "dark" : "light") : chosen;
    document.getElementById("theme")?.setAttribute("aria-label", `Colours: ${NAMES[chosen]}`);
  }

  show();
  system.addEventListener("change", show);
  addEventListener("DOMContentLoaded", () => {
    show();
    document.getElementById("theme").addEventListener("click", () => {
      chosen = ORDER[(ORDER.indexOf(chosen) + 1) % ORDER.length];
      try {
        localStorage.setItem("theme", chosen);
      } catch {
        // As above.
      }
      show();
    });
    const address = new URL(".", location.href).href.replace(/\/$/, "");
    for (const line of document.querySelectorAll("[data-address]")) {
      line.textContent = line.textContent.replace(line.dataset.address, address);
    }
  });
})();
