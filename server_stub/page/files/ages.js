// Ages that grow: "12 s", "3 min", "2 h", "5 d", counted on the server's clock; the exact time is the title.

import { element, write } from "./element.js";

const UNITS = [
  [86400, "d"],
  [3600, "h"],
  [60, "min"],
];

let ahead = 0; // milliseconds by which this clock runs before the server's

export function setServerTime(now) {
  ahead = Date.now() - now;
}

export function setTime(target, time) {
  if (target.dateTime !== (time ?? "")) {
    target.dateTime = time ?? "";
    target.title = time ? exact(time) : "";
    update(target);
  }
}

export function exact(time) {
  const parsed = new Date(time);
  return isNaN(parsed) ? time : `${parsed.toLocaleString()} (${time})`;
}

// The exact time, on the reader's clock; the server's own writing is the title.
export function dated(time) {
  const parsed = new Date(time);
  return element("span", { title: time, text: isNaN(parsed) ? time : parsed.toLocaleString() });
}

export function tick() {
  document.querySelectorAll("time").forEach(update);
}

function update(target) {
  write(target, words(Date.parse(target.dateTime)));
}

function words(time) {
  if (isNaN(time)) {
    return "";
  }
  const seconds = Math.trunc((Date.now() - ahead - time) / 1000);
  const amount = Math.abs(seconds);
  const [size, unit] = UNITS.find(([size]) => amount >= size) ?? [1, "s"];
  const age = `${Math.trunc(amount / size)} ${unit}`;
  return seconds < 0 ? `in ${age}` : age;
}

setInterval(tick, 1000);
