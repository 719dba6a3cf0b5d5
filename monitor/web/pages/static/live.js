// Keeps the page fresh: what is marked data-live is fetched again and changed in place. Focus, selection, open details
// and whatever somebody types stay as they are. Without this script the page is the same, as of when it was loaded.
"use strict";

const EVERY_MS = 10_000;
const fresh = document.getElementById("fresh");
const news = document.getElementById("news");

function openDetails(part) {
  return [...part.querySelectorAll("details[open]")].map((each) => each.id);
}

function selecting(part) {
  const selection = document.getSelection();
  return selection && !selection.isCollapsed && part.contains(selection.anchorNode);
}

function renew(part, newer) {
  if (!newer || part.innerHTML === newer.innerHTML || selecting(part)) return;
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  for (const id of openDetails(part)) newer.querySelector("#" + CSS.escape(id))?.setAttribute("open", "");
  const scrolled = [...part.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
  part.replaceChildren(...newer.childNodes);
  part.querySelectorAll(".scroll").forEach((each, place) => { each.scrollLeft = scrolled[place] ?? 0; });
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

function tell(newer) {
  const [before, after] = [document, newer].map((each) => each.querySelector("h1")?.textContent);
  if (before !== after) news.textContent = after;
  document.title = newer.title;
}

function stamp(text, stale) {
  fresh.hidden = false;
  fresh.classList.toggle("stale", stale);
  fresh.textContent = text;
}

let answered = new Date();

async function refresh() {
  if (document.hidden) return;
  try {
    const response = await fetch(location.href, { cache: "no-store", redirect: "error" });
    if (!response.ok) throw new Error(String(response.status));
    const newer = new DOMParser().parseFromString(await response.text(), "text/html");
    tell(newer);
    for (const part of document.querySelectorAll("[data-live]")) renew(part, newer.getElementById(part.id));
    answered = new Date();
    stamp("live", false);
  } catch {
    stamp(`no answer since ${answered.toLocaleTimeString()}: this is old`, true);
  }
}

stamp("live", false);
setInterval(refresh, EVERY_MS);
document.addEventListener("visibilitychange", refresh);
