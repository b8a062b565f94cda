// Asks for the page again every few seconds, and puts what is new in place; what is unfolded stays so.
"use strict";
const SECONDS = 5;
const PATIENCE = 10;

async function refresh() {
  const stale = document.getElementById("stale");
  try {
    const answer = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE * 1000) });
    if (!answer.ok) throw new Error(String(answer.status));
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    const open = [...document.querySelectorAll("details[open]")].map((one) => one.closest("li").id);
    for (const id of open) next.getElementById(id)?.querySelector("details")?.setAttribute("open", "");
    document.getElementById("shown").replaceWith(next.getElementById("shown"));
    document.title = next.title;
    stale.hidden = true;
  } catch {
    stale.hidden = false;
  }
}

async function loop() {
  const selected = String(document.getSelection()) !== "";
  if (!document.hidden && !selected) await refresh();
  setTimeout(loop, SECONDS * 1000);
}

setTimeout(loop, SECONDS * 1000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
