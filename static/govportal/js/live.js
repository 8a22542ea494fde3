// The page of a live incident: it is read anew every 15 s, and nothing that a person types is ever replaced.
"use strict";
(() => {
  const poll = () => document.getElementById("live-poll");
  const said = document.getElementById("live-said");
  const lines = () => document.getElementById("live-lines");

  // What somebody types, or typed and did not send.
  const isChanged = (field) =>
    "checked" in field && /checkbox|radio/.test(field.type)
      ? field.checked !== field.defaultChecked
      : field.value !== field.defaultValue;
  const held = (region) =>
    [...region.querySelectorAll("input:not([type=hidden]), textarea")].filter(
      (field) => field === document.activeElement || isChanged(field),
    );
  let composing = false;
  document.addEventListener("compositionstart", () => (composing = true));
  document.addEventListener("compositionend", () => (composing = false));

  // The same link or button after the swap, which makes each of them another element.
  const twinOf = (active, region) => {
    const inside = (selector) => `#${region.id} ${selector}`;
    if (active.getAttribute("href")) return inside(`a[href="${CSS.escape(active.getAttribute("href"))}"]`);
    const form = active.closest("button") && active.form;
    if (!form) return null;
    const does = form.querySelector("[name=do]")?.value;
    const which = does ? `:has([name="do"][value="${CSS.escape(does)}"])` : "";
    return inside(`form[action="${CSS.escape(form.getAttribute("action"))}"]${which} button`);
  };

  // The field is not there any more: somebody else did what it asks for. The words stay, and that is said.
  const meanwhile = (region) => {
    if (region.querySelector("[data-meanwhile]")) return;
    const note = document.createElement("p");
    note.className = "live-meanwhile";
    note.dataset.meanwhile = "";
    note.setAttribute("role", "status");
    note.textContent = "Somebody worked on this meanwhile. What you typed is still here: copy it, then ";
    const again = document.createElement("a");
    again.href = location.href;
    again.textContent = "read it anew";
    note.append(again, ".");
    region.prepend(note);
  };

  let focused = null;
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { target: region, fragment } = event.detail;
    const pairs = held(region).map((field) => [field, field.id && fragment.querySelector(`#${CSS.escape(field.id)}`)]);
    if (composing && region.contains(document.activeElement)) event.detail.shouldSwap = false;
    if (pairs.some(([, twin]) => !twin)) {
      event.detail.shouldSwap = false;
      meanwhile(region);
    }
    if (!event.detail.shouldSwap) return;
    for (const [field, twin] of pairs) {
      twin.value = field.value;
      if ("checked" in field) twin.checked = field.checked;
    }
    const active = document.activeElement;
    if (region.contains(active)) focused = twinOf(active, region);
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
