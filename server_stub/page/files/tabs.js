// Tabs by the WAI-ARIA pattern: one stop of the Tab key, arrow keys choose, and the choice shows at once.

export class Tabs {
  #tabs;
  #wanted;

  constructor(list) {
    this.#tabs = [...list.querySelectorAll("[role=tab]")];
    list.addEventListener("click", (event) => this.#choose(event.target.closest("[role=tab]")));
    list.addEventListener("keydown", (event) => this.#onKey(event));
    this.#choose(this.#tabs[0]);
  }

  // Shows the tab that was chosen last, or the next one where that has nothing to show.
  show(hasContent) {
    const place = this.#tabs.indexOf(this.#wanted);
    this.#open([this.#wanted, ...this.#tabs.slice(place + 1), ...this.#tabs].find((tab) => hasContent(tab.id)));
  }

  #choose(chosen) {
    if (chosen) {
      this.#wanted = chosen;
      this.#open(chosen);
    }
  }

  #open(chosen) {
    for (const tab of this.#tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
    }
  }

  #onKey(event) {
    const count = this.#tabs.length;
    const place = this.#tabs.indexOf(document.activeElement);
    const wanted = { ArrowRight: place + 1, ArrowLeft: place - 1 + count, Home: 0, End: count - 1 }[event.key];
    if (wanted === undefined || place < 0) {
      return;
    }
    event.preventDefault();
    const tab = this.#tabs[wanted % count];
    this.#choose(tab);
    tab.focus();
  }
}
