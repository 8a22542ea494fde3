// The page of a live incident: it is read anew every 15 s, and nothing that a person types is ever replaced.
"use strict";
(() => {
  const poll = () => document.getElementById("live-poll");
  const said = document.getElementById("live-said");
  const lines = () => document.getElementById("live-lines");

  // Somebody types there, or typed and did not send it.
  const inUse = (region) => {
    const active = document.activeElement;
    if (region.contains(active) && active.closest("input, textarea, select")) return true;
    return [...region.querySelectorAll("input:not([type=hidden]), textarea")].some(
      (field) => field.value !== field.defaultValue || field.checked !== field.defaultChecked,
    );
  };

  let focused = null;
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const region = event.detail.target;
    if (inUse(region)) event.detail.shouldSwap = false;
    const active = document.activeElement;
    // A link that has the focus is another element after the swap: the focus goes to the same one.
    if (event.detail.shouldSwap && region.contains(active) && active.getAttribute("href"))
      focused = `#${region.id} a[href="${CSS.escape(active.getAttribute("href"))}"]`;
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    // Signed out meanwhile, the answer is another page.
    if (event.detail.target?.id === "live-poll" && !event.detail.serverResponse.includes('id="live-poll"')) {
      event.detail.shouldSwap = false;
      stale("You are signed out.");
    }
  });

  const stale = (why) => {
    const mark = poll()?.querySelector("[data-as-of]");
    if (mark && !mark.dataset.stale) mark.textContent = `${why} ${mark.textContent.replace("As of", "Not updated since")}.`;
    if (mark) mark.dataset.stale = "true";
  };
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"])
    document.addEventListener(name, (event) => event.detail.target?.id === "live-poll" && stale("No answer."));

  // New lines are said politely; each region is swapped by itself, the last comes last.
  let newest = Number(lines()?.dataset.last || 0);
  document.addEventListener("htmx:afterSettle", () => {
    const list = lines();
    const last = Number(list?.dataset.last || 0);
    if (last > newest) {
      const fresh = [...list.querySelectorAll("[data-line]")].filter((line) => Number(line.dataset.line) > newest);
      fresh.forEach((line) => line.classList.add("is-new"));
      const words = fresh[0]?.querySelector("p")?.textContent.trim() || "";
      said.textContent = fresh.length === 1 ? `New line: ${words}` : `${fresh.length} new lines. The last: ${words}`;
      newest = last;
    }
    if (focused) document.querySelector(focused)?.focus();
    focused = null;
    readClocks();
  });

  // Clocks: the server says what is left; here it is only counted on, by the server's own time.
  let behind = 0;
  const readClocks = () => {
    const one = document.querySelector("[data-now]");
    if (one) behind = Date.now() - Date.parse(one.dataset.now);
  };
  const words = (span) => {
    const minutes = Math.floor(Math.abs(span) / 60000);
    if (minutes >= 96 * 60) return `${Math.floor(minutes / 1440)} days`;
    const rest = String(minutes % 60).padStart(2, "0");
    return minutes >= 60 ? `${Math.floor(minutes / 60)} h ${rest} min` : `${minutes} min`;
  };
  const count = () => {
    const now = Date.now() - behind;
    document.querySelectorAll("[data-until]").forEach((clock) => {
      const left = Date.parse(clock.dataset.until) - now;
      const text = left < 0 ? `Late by ${words(left)}` : words(left);
      if (clock.textContent !== text) clock.textContent = text;
    });
    document.querySelectorAll("[data-since]").forEach((clock) => {
      const text = words(now - Date.parse(clock.dataset.since));
      if (clock.textContent !== text) clock.textContent = text;
    });
  };
  readClocks();
  setInterval(count, 5000);
})();
