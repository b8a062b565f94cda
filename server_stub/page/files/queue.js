// The queue: its list, the selected entry in full, and what can be done to it.

import { dated, setTime } from "./ages.js";
import { byId, definitions, element, say, write } from "./element.js";
import { List } from "./list.js";
import { load, post } from "./live.js";

const UNSEND = "Takes the mark off again, so that the queue lists the entry. mail-sender does not mail it again by itself.";

const ROW = {
  make() {
    const parts = [["span", "title"], ["time", "age"], ["span", "under"], ["span", "state"]];
    return element("div", { class: "row" }, ...parts.map(([tag, name]) => element(tag, { class: name })));
  },
  fill(row, item) {
    const [title, age, under, state] = row.children;
    write(title, item.kind);
    setTime(age, item.created);
    write(under, item.recipients.join(", ") || "no recipient");
    write(state, item.state);
    state.dataset.state = item.state;
  },
};

export class QueuePane {
  #list;
  #refresh;
  #showMail;
  #rows = new Map();
  #mails = [];
  #state = null;

  constructor({ refresh, showMail }) {
    this.#refresh = refresh;
    this.#showMail = showMail;
    this.#list = new List(byId("queue-list"), byId("queue-empty"), ROW, () => this.#detail());
    byId("compose").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#queue("test");
    });
    byId("queue-reset").addEventListener("click", () => this.#queue("reset"));
    byId("mark").addEventListener("click", () => this.#mark());
    byId("entry-mails").addEventListener("click", (event) => this.#follow(event.target.dataset.mail));
    this.#offerPeople();
  }

  show({ total, rows }, mails) {
    const items = named(rows);
    this.#rows = new Map(items.map((item) => [item.id, item]));
    this.#mails = mails;
    write(byId("queue-count"), total > rows.length ? `the newest ${rows.length} of ${total}` : String(total));
    this.#list.show(items);
    if (!this.#list.selected && items.length) {
      this.#list.select(items[0].id);
    }
    const selected = this.#rows.get(this.#list.selected);
    if (selected && selected.state !== this.#state) {
      this.#detail();
    }
    this.#linkMails();
  }

  go(key) {
    this.#list.go(key);
  }

  // The key of the selected entry, which need not be among the newest; null where it has none.
  get #key() {
    const row = this.#rows.get(this.#list.selected);
    return row ? row.key : this.#list.selected;
  }

  async #offerPeople() {
    const people = await load("/people");
    const options = people.map(({ name, mail }) =>
      element("option", { value: name, text: `${name} (${mail[0] ?? "no address"})` }),
    );
    byId("person").replaceChildren(...options);
  }

  #queue(what) {
    return this.#act(`/queue/${what}/${encodeURIComponent(byId("person").value)}`);
  }

  async #mark() {
    await this.#act(`/queue/${this.#key}/${this.#state === "sent" ? "unsent" : "sent"}`);
    await this.#detail();
  }

  async #act(address) {
    try {
      const { done } = await post(address);
      await this.#refresh();
      say(byId("queue-said"), done);
    } catch (error) {
      say(byId("queue-said"), error.message, true);
    }
  }

  async #detail() {
    const selected = this.#list.selected;
    try {
      const entry = selected && (this.#key ? await load(`/queue/${this.#key}`) : this.#rows.get(selected));
      if (selected === this.#list.selected) {
        this.#showEntry(entry);
      }
    } catch (error) {
      this.#showEntry(null);
      say(byId("queue-said"), error.message, true);
    }
  }

  #showEntry(entry) {
    this.#state = entry?.state ?? null;
    byId("entry-none").hidden = Boolean(entry);
    byId("entry-shown").hidden = !entry;
    if (!entry) {
      return;
    }
    write(byId("entry-title"), entry.kind);
    // One button, so that the focus stays where it is after it was pressed.
    byId("mark").hidden = !entry.key;
    write(byId("mark"), entry.state === "sent" ? "Un-send" : "Mark as sent");
    byId("mark").title = entry.state === "sent" ? UNSEND : "";
    definitions(byId("entry-facts"), facts(entry));
    write(byId("entry-json"), entry.json);
    this.#linkMails();
  }

  #linkMails() {
    const target = byId("entry-mails");
    const mails = this.#mails.filter((mail) => mail.entry && mail.entry === this.#key);
    const keys = mails.map((mail) => mail.key).join();
    if (target.dataset.keys !== keys) {
      target.dataset.keys = keys;
      const none = element("p", { class: "none", text: "None among the mails shown." });
      target.replaceChildren(...(mails.length ? mails.map(link) : [none]));
    }
  }

  #follow(mail) {
    if (mail) {
      this.#showMail(mail);
    }
  }
}

function link(mail) {
  const text = `${mail.subject || "No subject"} to ${mail.to || "nobody"}`;
  return element("button", { type: "button", class: "link", "data-mail": mail.key, text });
}

function facts(entry) {
  const pairs = [
    ["State", element("span", { class: "state", "data-state": entry.state, text: entry.state })],
    ["To", entry.recipients.join(", ") || "nobody"],
    ["Name", entry.name],
    ["Queued", timeOf(entry.created)],
    ["Send after", timeOf(entry.send_after)],
    ["Valid until", timeOf(entry.expires)],
    ["Sent", timeOf(entry.sent_at)],
    ["Id", entry.key ?? "none that can be requested, so it cannot be marked"],
  ];
  return pairs.filter(([, value]) => value);
}

function timeOf(value) {
  return value && dated(String(value));
}

// Gives each row an id of its own, also where somebody queued an id twice or none; the same at the next look.
function named(rows) {
  const seen = new Map();
  const name = (row) => {
    const times = seen.get(row.key) ?? 0;
    seen.set(row.key, times + 1);
    return { ...row, id: row.key && !times ? row.key : `${row.key ?? "raw"}-${times}` };
  };
  return rows.toReversed().map(name).toReversed();
}
