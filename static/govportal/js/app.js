// Everything here makes the pages quicker; nothing here is needed. No state is kept that the server does not have.
"use strict";
(() => {
  const root = document.documentElement;
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const typing = (target) =>
    target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

  // Dialogs: open, close, and give the focus back to where it came from.
  const openDialog = (dialog) => {
    if (!dialog || dialog.open) return;
    const back = document.activeElement;
    dialog.addEventListener("close", () => back?.focus?.(), { once: true });
    dialog.showModal();
  };

  // Palette: a combobox over the answers of the server.
  const palette = one("[data-palette]");
  const lookUp = palette && setUpPalette(palette);

  function setUpPalette(dialog) {
    const input = one("input", dialog);
    const results = one("#palette-results", dialog);
    const preview = one("[data-palette-preview]", dialog);
    const status = one("[data-palette-status]", dialog);
    let timer, request;

    const options = () => all("[role=option]", results);
    const current = () => one("[aria-selected=true]", results);
    const select = (option) => {
      options().forEach((other) => other.setAttribute("aria-selected", String(other === option)));
      preview.replaceChildren();
      if (!option) return input.removeAttribute("aria-activedescendant");
      input.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
      const template = one(`template[data-preview-for="${option.id}"]`, results);
      if (template) preview.append(template.content.cloneNode(true));
    };
    const show = (html, text) => {
      results.innerHTML = html;
      input.setAttribute("aria-expanded", String(options().length > 0));
      select(options()[0]);
      status.textContent = text;
    };
    const search = async () => {
      const q = input.value.trim();
      request?.abort();
      if (q.length < 2) return show("", "Type two characters");
      request = new AbortController();
      try {
        const answer = await fetch(`${dialog.dataset.suggest}?${new URLSearchParams({ q })}`, {
          signal: request.signal,
          headers: { "X-Requested-With": "fetch" },
        });
        if (!answer.ok || answer.redirected) throw new Error("no answer");
        show(await answer.text(), "");
        const count = Number(one("[data-count]", results)?.dataset.count || options().length);
        status.textContent = count === 1 ? "1 result" : `${count} results`;
      } catch (error) {
        if (error.name !== "AbortError") show("", "No answer from Govportal. Press Enter to search");
      }
    };
    const move = (step) => {
      const list = options();
      if (list.length) select(list[(list.indexOf(current()) + step + list.length) % list.length]);
    };
    const copy = async (option) => {
      await navigator.clipboard?.writeText(option.dataset.copy);
      status.textContent = `Copied: ${option.dataset.copy}`;
    };

    // An incident about the system that is chosen, or about what is typed.
    const declareAbout = (option) => {
      const to = new URL(one("[data-alarm]").href);
      const key = option && new URL(option.href).searchParams.get("system");
      to.search = new URLSearchParams(key ? { system: key } : { q: input.value.trim() });
      location.assign(to);
    };

    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(search, 120);
    });
    input.addEventListener("keydown", (event) => {
      const option = current();
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        move(event.key === "ArrowDown" ? 1 : -1);
      } else if (event.key === "Escape") {
        event.preventDefault(); // a search field would only clear itself
        dialog.close();
      } else if (event.key === "Enter" && option) {
        event.preventDefault();
        if (event.ctrlKey) copy(option);
        else if (event.shiftKey) declareAbout(option);
        else location.assign(option.href);
      } else if (event.key === "Enter" && event.shiftKey) {
        event.preventDefault();
        declareAbout();
      }
    });
    one("[data-close]", dialog).addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    return (text = "") => {
      openDialog(dialog);
      input.value = text;
      input.select();
      search();
    };
  }

  // Keys. The profile turns them off with data-keys="off" on the html element.
  const places = { h: "/", s: "/systems/", o: "/ownership/", a: "/attestations/", i: "/incidents/", t: "/trail/", r: "/readiness/" };
  let goingUntil = 0;

  const moveRow = (step) => {
    const rows = all("table[data-rows] tbody tr");
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.hasAttribute("data-current"));
    const row = rows[Math.min(Math.max(at + step, 0), rows.length - 1)];
    rows.forEach((other) => other.toggleAttribute("data-current", other === row));
    one("th a, td a", row)?.focus();
  };
  const keys = {
    "/": () => (lookUp ? lookUp() : one("#top-q, [data-search]")?.focus()),
    "?": () => openDialog(one("#keys")),
    g: () => {
      goingUntil = Date.now() + 1500;
    },
    j: () => moveRow(1),
    k: () => moveRow(-1),
    x: () => one("tr[data-current] [data-bulk-item]")?.click(),
    o: () => one("tr[data-current] :is(th, td) a")?.click(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape")
      all("details.popover-menu[open], details.filter-panel[open]").forEach(closeDetails);
    if (root.dataset.keys === "off" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (typing(event.target) || one("dialog[open]")) return;
    const link = Date.now() < goingUntil && one(`nav a[href="${places[event.key]}"]`);
    goingUntil = 0;
    if (link) {
      event.preventDefault();
      link.click();
    } else if (Object.hasOwn(keys, event.key)) {
      event.preventDefault();
      keys[event.key]();
    }
  });

  function closeDetails(details) {
    const inside = details.contains(document.activeElement);
    details.open = false;
    if (inside) one("summary", details).focus();
  }

  document.addEventListener("click", (event) => {
    all("details.popover-menu[open], details.filter-panel[open]").forEach((details) => {
      if (!details.contains(event.target)) details.open = false;
    });
    const opener = event.target.closest("[data-dialog]");
    const dialog = opener && document.getElementById(opener.dataset.dialog);
    if (dialog) {
      event.preventDefault();
      openDialog(dialog);
    }
    if (event.target.closest("dialog [data-close]")) event.target.closest("dialog").close();
  });

  // A form is sent once; the button says that it is busy.
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (event.defaultPrevented || !button?.dataset.busy) return;
    if (button.getAttribute("aria-busy") === "true") return event.preventDefault();
    button.setAttribute("aria-busy", "true");
    button.lastChild.textContent = button.dataset.busy;
  });
  addEventListener(
    "pageshow",
    (event) => event.persisted && all("[aria-busy=true]").forEach(() => location.reload()),
  );

  // Autosave: the form posts itself to its own action, a second after the last change.
  const setUpAutosave = (form) => {
    const status = one("[data-autosave-status]", form) || one("[data-autosave-status]");
    const say = (text) => {
      if (status) status.textContent = text;
    };
    let timer,
      changed = false,
      sending = Promise.resolve();
    const save = async () => {
      if (!changed) return;
      changed = false;
      const body = new FormData(form);
      // Files go with their button: what is kept alive after the page is left may have 64 KB.
      all("input[type=file]", form).forEach((field) => body.delete(field.name));
      try {
        const answer = await fetch(form.getAttribute("action") || location.href, {
          method: "POST",
          body,
          headers: { "X-Autosave": "1" },
          keepalive: true,
        });
        if (answer.status === 409) {
          const said = await answer.json();
          say(said.version ? "Saved in another window too. Use the button to see both" : said.conflict);
          return;
        }
        if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
        const version = answer.headers.get("X-Version");
        if (version && form.elements.version) form.elements.version.value = version;
        say(`Saved at ${answer.headers.get("X-Saved-At") || new Date().toTimeString().slice(0, 5)}`);
      } catch {
        changed = true;
        say("Not saved. Use the button to save");
      }
    };
    const queue = () => {
      sending = sending.then(save);
    };
    form.addEventListener("input", (event) => {
      if (event.target.type === "file") return;
      // Emptied again later, it is meant to be empty.
      const had = form.elements[event.target.name.replace(/-(day|person|text)$/, "-had")];
      if (had?.type === "hidden") had.disabled = false;
      changed = true;
      clearTimeout(timer);
      timer = setTimeout(queue, 1000);
    });
    form.addEventListener("submit", () => {
      clearTimeout(timer);
      changed = false;
    });
    document.addEventListener("visibilitychange", () => document.hidden && queue());
  };

  // Rows that are selected; the bar itself is shown by the stylesheet.
  const setUpBulk = (form) => {
    const items = all("[data-bulk-item]", form);
    const every = one("[data-bulk-all]", form);
    const update = () => {
      const n = items.filter((item) => item.checked).length;
      all("[data-bulk-count]", form).forEach((count) => {
        count.textContent = `${n} selected`;
      });
      if (!every) return;
      every.checked = n > 0 && n === items.length;
      every.indeterminate = n > 0 && n < items.length;
    };
    every?.addEventListener("change", () => {
      items.forEach((item) => {
        item.checked = every.checked;
      });
      update();
    });
    // One box for a part of a table, or for a whole one: it needs script, so it shows with it.
    all("[data-bulk-part]", form).forEach((part) => {
      part.closest("[hidden]")?.removeAttribute("hidden");
      const within = all("[data-bulk-item]", part.closest("tbody") || part.closest("table"));
      part.addEventListener("change", () => {
        within.forEach((item) => {
          item.checked = part.checked;
        });
      });
      form.addEventListener("change", () => {
        const n = within.filter((item) => item.checked).length;
        part.checked = n > 0 && n === within.length;
        part.indeterminate = n > 0 && n < within.length;
      });
    });
    form.addEventListener("change", update);
    form.addEventListener("reset", () => setTimeout(() => form.dispatchEvent(new Event("change"))));
    update();
  };

  const setUpCount = (field) => {
    const count = document.getElementById(field.dataset.count);
    const update = () => {
      count.textContent = `${field.value.length} of ${field.maxLength} characters`;
    };
    if (count) field.addEventListener("input", update);
  };

  // The duty lead is kept on this device for the page that is shown when Govportal is down.
  const keepDutyLead = () => {
    const source = one("[data-duty-source]");
    const card = one("[data-duty-lead][hidden]");
    try {
      if (source) localStorage.setItem("duty-lead", JSON.stringify({ ...source.dataset }));
      const lead = card && JSON.parse(localStorage.getItem("duty-lead"));
      if (!lead?.name) return;
      one("[data-duty-name]", card).textContent = lead.name;
      one("[data-duty-function]", card).textContent = lead.function || "";
      one("[data-duty-initials]", card).textContent = lead.name
        .split(/\s+/)
        .map((word) => word[0])
        .join("")
        .slice(0, 2);
      const phone = one("[data-duty-phone]", card);
      phone.textContent = lead.phone || "";
      if (lead.phone) phone.href = `tel:${lead.phone.replaceAll(" ", "")}`;
      card.hidden = false;
    } catch {
      /* storage may be switched off */
    }
  };

  const start = (from) => {
    all("form[data-autosave]", from).forEach(setUpAutosave);
    all("form[data-bulk]", from).forEach(setUpBulk);
    all("textarea[data-count]", from).forEach(setUpCount);
    all("button[data-print]", from).forEach((button) => {
      button.hidden = false;
      button.addEventListener("click", () => window.print());
    });
    one("[data-error-summary]", from)?.focus();
  };
  start(document);
  keepDutyLead();
  document.addEventListener("htmx:afterSwap", (event) => start(event.detail.target));
})();
