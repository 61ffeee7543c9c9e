// The first view (names by label, recordings) and the hits of a search.

import { address, ask, clock, el, labelClass } from "./dom.js";

const NAMES = 100;
const MOST = 1000; // of hits and recordings in an answer
const TOLD = { part: "As a part of names", similar: "Names that are nearly this" };

export async function showHome(parameters) {
  const limit = Number(parameters.get("limit") ?? 100);
  const [{ labels }, { recordings, total }] = await Promise.all([
    ask("/v1/names", { limit: 1 }), ask("/v1/recordings", { limit }),
  ]);
  if (!recordings.length) return [el("p", {}, "The archive is empty; spner index adds recordings.")];
  const columns = await Promise.all(Object.entries(labels).map(([label, count]) => nameColumn(label, count)));
  return [
    el("h1", {}, "Names"), el("div", { className: "columns" }, ...columns),
    el("h2", {}, "Recordings ", dim(recordings.length < total ? `the newest ${recordings.length} of ${total}` : "")),
    el("ul", { className: "columns" }, ...recordings.map(recordingItem)),
    recordings.length < total && limit < MOST ? el("a", { href: address("", { limit: MOST }) }, "More") : "",
  ];
}

async function nameColumn(label, count) {
  const { names } = await ask("/v1/names", { label, limit: NAMES });
  const items = names.map((name) => el("li", {},
    el("a", { href: address("search", { q: `"${name.text}"`, label }), className: labelClass(label) }, name.text),
    dim(String(name.num_mentions))));
  const told = `${count} mentions${names.length === NAMES ? `, the ${NAMES} most frequent names` : ""}`;
  return el("section", {}, el("h2", {}, `${label} `, dim(told)), el("ul", { className: "names" }, ...items));
}

function dim(text) {
  return el("span", { className: "dim" }, text);
}

function recordingItem({ id, title, duration }) {
  return el("li", {}, el("a", { href: address(`recording/${id}`, {}) }, title), dim(clock(duration)));
}

export async function showHits(parameters) {
  const q = parameters.get("q") ?? "", label = parameters.get("label") ?? "";
  const limit = Number(parameters.get("limit") ?? 50);
  const { hits, more } = await ask("/v1/search", { q, label, limit });
  const what = [label, q].filter(Boolean).join(": ");
  const nodes = [el("h1", {}, hits.length ? `${hits.length}${more ? " or more" : ""} found: ${what}` : `Nothing found: ${what}`)];
  let kind = "words", list = null;
  for (const hit of hits) {
    if (hit.kind !== kind) {
      kind = hit.kind;
      nodes.push(el("h2", {}, TOLD[kind]));
      list = null;
    }
    if (!list) nodes.push(list = el("ul", { className: "hits" }));
    list.append(hitItem(hit));
  }
  if (more && limit < MOST) nodes.push(el("a", { href: address("search", { q, label, limit: Math.min(MOST, 4 * limit) }) }, "More"));
  return nodes;
}

function hitItem(hit) {
  const parts = hit.parts.flatMap(({ label, before, found, after }) => {
    const pieces = [before, found ? el("b", {}, found) : "", after];
    return label ? [el("span", { className: labelClass(label), data: { label } }, ...pieces)] : pieces;
  });
  return el("li", {}, el("a", { href: address(`recording/${hit.recording}`, { t: hit.start_s.toFixed(3) }) },
    el("span", { className: "where" }, `${hit.title} · ${clock(hit.start_s)}`), ...parts));
}
