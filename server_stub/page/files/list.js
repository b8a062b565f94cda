// A list of which one row is selected: the listbox pattern of WAI-ARIA with aria-activedescendant, so that the focus
// stays on the list whatever happens to its rows. Rows keep their elements, and with them scroll position and selection.

export class List {
  #box;
  #empty;
  #row;
  #onSelect;
  #rows = new Map();
  #selected = null;

  // `row` is {make: () => element, fill: (element, item) => void}.
  constructor(box, empty, row, onSelect) {
    this.#box = box;
    this.#empty = empty;
    this.#row = row;
    this.#onSelect = onSelect;
    box.addEventListener("keydown", (event) => this.#onKey(event));
    box.addEventListener("click", (event) => this.#onClick(event));
  }

  get selected() {
    return this.#selected;
  }

  // Shows these items, newest first; each has an `id` of its own. What is selected stays selected while it is there;
  // when it goes, its neighbour takes its place.
  show(items) {
    const heir = this.#heir(new Set(items.map((item) => item.id)));
    const before = this.#rows;
    this.#rows = new Map(items.map((item) => [item.id, before.get(item.id) ?? this.#made(item.id)]));
    items.forEach((item) => this.#row.fill(this.#rows.get(item.id), item));
    for (const [id, row] of before) {
      if (!this.#rows.has(id)) {
        row.remove();
      }
    }
    this.#order();
    this.#box.hidden = !items.length;
    this.#empty.hidden = items.length > 0;
    if (heir !== this.#selected) {
      this.select(heir);
    }
  }

  // Selects a row, or what has no row because it is too old; null selects nothing.
  select(id) {
    this.#rows.get(this.#selected)?.setAttribute("aria-selected", "false");
    const changed = id !== this.#selected;
    this.#selected = id;
    const row = this.#rows.get(id);
    row?.setAttribute("aria-selected", "true");
    this.#box.setAttribute("aria-activedescendant", row?.id ?? "");
    if (changed) {
      this.#onSelect(id);
    }
  }

  // Selects a row and brings it into view with the focus on the list.
  go(id) {
    this.select(id);
    this.#box.focus({ preventScroll: true });
    this.#reveal(id);
  }

  #made(id) {
    const row = this.#row.make();
    row.id = `${this.#box.id}-${id}`;
    row.dataset.key = id;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", "false");
    return row;
  }

  #order() {
    let next = this.#box.firstElementChild;
    for (const row of this.#rows.values()) {
      if (row === next) {
        next = next.nextElementSibling;
      } else {
        this.#box.insertBefore(row, next);
      }
    }
  }

  #heir(left) {
    const ids = [...this.#rows.keys()];
    const place = ids.indexOf(this.#selected);
    if (place < 0 || left.has(this.#selected)) {
      return this.#selected;
    }
    const after = ids.slice(place + 1).find((id) => left.has(id));
    return after ?? ids.slice(0, place).findLast((id) => left.has(id)) ?? null;
  }

  #onKey(event) {
    const ids = [...this.#rows.keys()];
    const place = ids.indexOf(this.#selected);
    const page = Math.max(1, Math.floor(this.#box.clientHeight / (this.#box.firstElementChild?.offsetHeight || 1)) - 1);
    const wanted = {
      ArrowDown: place + 1,
      ArrowUp: place < 0 ? 0 : place - 1,
      PageDown: place + page,
      PageUp: place - page,
      Home: 0,
      End: ids.length - 1,
    }[event.key];
    if (wanted === undefined || !ids.length || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    event.preventDefault();
    const id = ids[Math.min(Math.max(wanted, 0), ids.length - 1)];
    this.select(id);
    this.#reveal(id);
  }

  #onClick(event) {
    const row = event.target.closest("[role=option]");
    if (row) {
      this.select(row.dataset.key);
    }
  }

  #reveal(id) {
    this.#rows.get(id)?.scrollIntoView({ block: "nearest" });
  }
}
