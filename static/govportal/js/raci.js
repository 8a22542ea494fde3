// The RACI grid: one tab stop, arrow keys, letters, a menu. Each cell is a link to a plain form that does the same;
// the server decides, this file only spares the way there.
"use strict";
(() => {
  const editor = document.querySelector("[data-raci]");
  if (!editor) return;
  const one = (selector, from = editor) => from.querySelector(selector);
  const all = (selector, from = editor) => [...from.querySelectorAll(selector)];
  const grid = one("[role=grid]");
  const menu = one("[data-raci-menu]");
  const status = one("[data-raci-status]");
  const keysOff = () => document.documentElement.dataset.keys === "off";
  const BOTH = { A: "AR", R: "AR" };
  let current = null; // the one element of the grid that Tab reaches
  let lastKey = null; // [cell, letter]: A then R in the same cell makes both
  let queue = Promise.resolve();

  // A cell is known by its row and by its column, whose head says whom it is about.
  const heads = all("thead th", grid);
  const about = (cell) => {
    const row = cell.closest("tr");
    const head = heads[cell.closest("td").cellIndex];
    const { party, who, note } = head.dataset;
    return { domain: row.dataset.domain, name: row.dataset.name, party, who, note };
  };
  const find = ({ domain, party }) => {
    const at = heads.findIndex((head) => head.dataset.party === party);
    return document.getElementById(`row-${domain}`)?.cells[at]?.querySelector("[data-cell]");
  };

  // Moving. A row's stops are its links and buttons in the order of the page.
  const rows = () => all("tr", grid).filter((row) => !row.hidden && stops(row).length);
  const stops = (row) => all("[data-stop]", row);
  const column = (stop) => stop.closest("th, td").cellIndex;

  const hold = (stop) => {
    all("[data-stop]", grid).forEach((other) => {
      other.tabIndex = other === stop ? 0 : -1;
    });
    current = stop;
  };
  const go = (stop) => {
    if (!stop) return;
    if (lastKey && lastKey[0] !== stop) lastKey = null;
    hold(stop);
    stop.focus();
    stop.closest("td, th").scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  const inColumn = (row, at) => stops(row).find((stop) => column(stop) === at);
  const vertical = (stop, step) => {
    const list = rows();
    const at = column(stop);
    for (let i = list.indexOf(stop.closest("tr")) + step; list[i]; i += step) {
      const found = inColumn(list[i], at);
      if (found) return found;
    }
    return null;
  };
  const horizontal = (stop, step) => {
    const list = stops(stop.closest("tr"));
    return list[list.indexOf(stop) + step];
  };
  const edge = (stop, last, whole) => {
    const list = rows();
    const row = whole ? list[last ? list.length - 1 : 0] : stop.closest("tr");
    return stops(row)[last ? stops(row).length - 1 : 0];
  };
  const moves = {
    ArrowUp: (stop) => vertical(stop, -1),
    ArrowDown: (stop) => vertical(stop, 1),
    ArrowLeft: (stop) => horizontal(stop, -1),
    ArrowRight: (stop) => horizontal(stop, 1),
    Home: (stop, event) => edge(stop, false, event.ctrlKey),
    End: (stop, event) => edge(stop, true, event.ctrlKey),
  };

  // Layers open and close; the address says which are open.
  const toggle = (link) => {
    const open = link.getAttribute("aria-expanded") !== "true";
    link.setAttribute("aria-expanded", String(open));
    all(`[data-layer-row="${link.dataset.layer}"]`, grid).forEach((row) => {
      row.hidden = !open;
    });
    const shown = all("a[data-layer][aria-expanded=true]", grid).map((other) => other.dataset.layer);
    const address = new URL(location.href);
    address.searchParams.set("open", shown.join(",") || "none");
    history.replaceState(null, "", address);
    all("a[data-layer]", grid).forEach((other) => {
      const mine = other.dataset.layer;
      const next = shown.includes(mine) ? shown.filter((name) => name !== mine) : [...shown, mine];
      other.href = `?${new URLSearchParams({ open: next.join(",") || "none" })}`;
    });
    if (!link.closest("tr").hidden && current?.closest("tr").hidden) hold(link);
  };

  // Saving. One request at a time, each with the revision that the last answer gave.
  const save = (cell, letters, force) => {
    const where = about(cell);
    const { domain, party } = where;
    const seen = cell.dataset.letters;
    draw(cell, letters);
    cell.setAttribute("aria-busy", "true");
    queue = queue.then(async () => {
      const body = new FormData();
      Object.entries({ domain, party, letters, seen, revision: editor.dataset.revision }).forEach((pair) =>
        body.append(...pair),
      );
      if (force) body.append("force", "1");
      try {
        const answer = await fetch(editor.dataset.cellUrl, {
          method: "POST",
          body,
          keepalive: true, // a change made just before leaving the page still arrives
          headers: { "X-CSRFToken": one("[name=csrfmiddlewaretoken]").value, "X-Requested-With": "fetch" },
        });
        const html = await answer.text();
        const known = answer.headers.get("X-Raci") === "1";
        if (!known || answer.redirected) throw new Error(String(answer.status));
        show(html);
      } catch {
        draw(find(where), seen);
        find(where)?.removeAttribute("aria-busy");
        say("Not saved: no answer from Govportal. Try again.");
      }
    });
  };
  // The answer holds the parts that changed, each with the id of the part that it replaces.
  const show = (html) => {
    const parts = new DOMParser().parseFromString(html, "text/html");
    const at = current && (current.matches("[data-cell]") ? about(current) : { ...current.dataset });
    const sameCell = lastKey && lastKey[0] === current;
    const focused = grid.contains(document.activeElement);
    const hidden = new Set(all("tr[hidden]", grid).map((row) => row.id));
    const expanded = new Map(
      all("a[data-layer]", grid).map((link) => [link.dataset.layer, [link.getAttribute("aria-expanded"), link.href]]),
    );
    parts.querySelectorAll("[data-part]").forEach((part) => {
      const old = document.getElementById(part.id);
      if (!old) return;
      if (old.matches("tr")) part.hidden = hidden.has(old.id);
      const link = part.querySelector("a[data-layer]");
      if (link) {
        const [state, href] = expanded.get(link.dataset.layer);
        link.setAttribute("aria-expanded", state);
        link.href = href;
      }
      old.replaceWith(part);
    });
    const facts = parts.querySelector("[data-raci-facts]");
    if (facts) {
      editor.dataset.revision = facts.dataset.revision;
      all("[name=revision]").forEach((field) => {
        field.value = facts.dataset.revision;
      });
      say(facts.textContent.trim());
    }
    enhance();
    const again = at && (at.party ? find(at) : at.layer && one(`a[data-layer="${at.layer}"]`, grid));
    hold(again || (grid.contains(current) ? current : one("[data-stop]", grid)));
    if (focused && !grid.contains(document.activeElement) && menu.hidden) current.focus();
    if (sameCell) lastKey = [current, lastKey[1]];
  };
  const say = (text) => {
    status.textContent = "";
    setTimeout(() => {
      status.textContent = text;
    }, 20);
  };

  const SHAPES = { A: "raci raci--a", R: "raci raci--r", C: "raci raci--c", I: "raci raci--i" };
  const draw = (cell, letters) => {
    if (!cell) return;
    cell.dataset.letters = letters;
    const mark = document.createElement("span");
    mark.className = letters ? SHAPES[letters[0]] : "raci-none";
    mark.textContent = letters || "·";
    mark.setAttribute("aria-hidden", "true");
    cell.querySelector(".raci, .raci-none").replaceWith(mark);
  };

  const press = (cell, letter) => {
    const before = lastKey && lastKey[0] === cell ? lastKey[1] : "";
    const both = before !== letter && BOTH[letter] && BOTH[before];
    lastKey = [cell, letter];
    const letters = both || letter;
    if (letters === cell.dataset.letters) return say(`${letters} already.`);
    save(cell, letters);
  };
  const clear = (cell) => {
    lastKey = null;
    if (cell.dataset.letters) save(cell, "");
  };

  // The menu of a cell.
  let owner = null;
  const items = () => all("[role=menuitemradio]", menu);
  const openMenu = (cell) => {
    owner = cell;
    const { name, who, note } = about(cell);
    one("[data-menu-domain]", menu).textContent = name;
    one("[data-menu-who]", menu).textContent = who;
    one("[data-menu-note]", menu).textContent = note;
    menu.setAttribute("aria-label", `${name}, ${who}`);
    const chosen = cell.dataset.letters;
    items().forEach((item) => item.setAttribute("aria-checked", String(item.dataset.letters === chosen)));
    menu.hidden = false;
    place(cell);
    cell.setAttribute("aria-expanded", "true");
    (items().find((item) => item.dataset.letters === chosen) || items()[0]).focus();
  };
  const place = (cell) => {
    const box = cell.getBoundingClientRect();
    const frame = editor.getBoundingClientRect();
    const width = menu.offsetWidth;
    const height = menu.offsetHeight;
    const left = Math.min(Math.max(box.left - 16, 8), document.documentElement.clientWidth - width - 8);
    const below = box.bottom + 6 + height <= window.innerHeight || box.top - 6 - height < 0;
    const top = below ? box.bottom + 6 : box.top - 6 - height;
    menu.style.left = `${left - frame.left}px`;
    menu.style.top = `${top - frame.top}px`;
  };
  const closeMenu = (focus = true) => {
    if (menu.hidden) return;
    menu.hidden = true;
    owner?.setAttribute("aria-expanded", "false");
    const back = owner && find(about(owner));
    owner = null;
    if (focus) go(back);
  };
  const choose = (letters) => {
    closeMenu();
    if (letters !== current.dataset.letters) save(current, letters);
  };
  menu.addEventListener("keydown", (event) => {
    const list = items();
    const at = list.indexOf(document.activeElement);
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    const letter = event.key.toUpperCase();
    if (event.key === "Escape" || event.key === "Tab") closeMenu();
    else if (steps[event.key]) list[(at + steps[event.key] + list.length) % list.length].focus();
    else if (event.key === "Home") list[0].focus();
    else if (event.key === "End") list[list.length - 1].focus();
    else if (!event.ctrlKey && !event.metaKey && SHAPES[letter]) choose(letter);
    else if (event.key === "Delete" || event.key === "Backspace") choose("");
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  menu.addEventListener("click", (event) => {
    const item = event.target.closest("[role=menuitemradio]");
    if (item) choose(item.dataset.letters);
  });
  document.addEventListener("click", (event) => {
    if (!menu.hidden && !menu.contains(event.target) && event.target.closest("[data-cell]") !== owner) closeMenu(false);
  });

  grid.addEventListener("keydown", (event) => {
    const stop = event.target.closest("[data-stop]");
    if (!stop || event.altKey || event.metaKey) return;
    const move = moves[event.key];
    const cell = stop.matches("[data-cell]") ? stop : null;
    const letter = event.key.toUpperCase();
    if (move) go(move(stop, event));
    else if (event.key === " " && stop.matches("a")) stop.click();
    else if (event.ctrlKey || !cell) return;
    else if (event.key === "Enter") openMenu(cell);
    else if (event.key === "Delete" || event.key === "Backspace") clear(cell);
    else if (SHAPES[letter] && event.key.length === 1 && !keysOff()) press(cell, letter);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  grid.addEventListener("click", (event) => {
    const plain = !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0;
    const stop = event.target.closest("[data-stop]");
    if (!stop || !plain) return;
    if (stop.matches("[data-cell]")) {
      event.preventDefault();
      hold(stop);
      if (owner === stop) closeMenu();
      else openMenu(stop);
    } else if (stop.matches("a[data-layer]")) {
      event.preventDefault();
      hold(stop);
      toggle(stop);
    }
  });
  grid.addEventListener("focusin", (event) => {
    const stop = event.target.closest("[data-stop]");
    if (stop && stop !== current) hold(stop);
  });
  // A link of the banner leads to the row: open its layer and stand in it.
  editor.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-to-row]");
    const row = link && document.getElementById(`row-${link.dataset.toRow}`);
    if (!row || !grid.offsetWidth) return;
    event.preventDefault();
    if (row.hidden) toggle(one(`a[data-layer="${row.dataset.layerRow}"]`, grid));
    row.scrollIntoView({ block: "center" });
    go(one("[data-cell][data-letters^=A]", row) || one("[data-cell]", row));
  });

  const enhance = () =>
    all("[data-cell]:not([aria-haspopup])", grid).forEach((cell) => {
      cell.setAttribute("aria-haspopup", "menu");
      cell.setAttribute("aria-expanded", "false");
    });
  enhance();
  hold(all("[data-cell]", grid).find((cell) => !cell.closest("tr").hidden) || one("[data-stop]", grid));
})();
