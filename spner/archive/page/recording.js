// A recording: player, words that light up while they are spoken, names in colour, a list of names to click.

import { ask, clock, el, labelClass } from "./dom.js";

const UNSURE = 0.5;
let audio = null, words = [], starts = [], lit = null;

export async function showRecording(id, parameters) {
  const found = await ask(`/v1/recordings/${id}`);
  audio = el("audio", { controls: true, preload: "metadata", src: `/v1/recordings/${id}/audio` });
  const text = el("div", { id: "text" }, ...found.segments.map(showSegment));
  if (!found.segments.length) text.append("No words were found.");
  words = [...text.querySelectorAll("span[data-t]")];
  starts = words.map((word) => Number(word.dataset.t));
  lit = null;
  audio.addEventListener("play", follow);
  audio.addEventListener("seeked", () => light(audio.currentTime));
  const nodes = [el("div", { className: "player" }, el("h1", {}, found.audio), audio),
    el("div", { className: "recording" }, text, el("aside", {}, ...showNames(found)))];
  nodes.forEach((node) => node.addEventListener("click", jump));
  if (parameters.has("t")) setTimeout(() => seek(Number(parameters.get("t"))));
  return nodes;
}

function showSegment(segment) {
  const line = el("span", {}, segment.speaker ? el("span", { className: "dim" }, `${segment.speaker}: `) : "");
  addWords(segment, line);
  return el("p", {}, el("button", { type: "button", className: "dim", data: { t: segment.start } }, clock(segment.start)), line);
}

function addWords(segment, line) {
  const entities = [...segment.entities];
  let position = 0, open = null; // the name that the words are in
  for (const word of segment.words) {
    const end = position + [...word.word].length; // the archive counts characters, not UTF-16 units
    if (open && open.end <= position) open = null;
    if (position) (open?.node ?? line).append(" ");
    if (!open && entities.length && entities[0].start_char < end) {
      open = openName(entities.shift());
      line.append(open.node);
    }
    const shown = el("span", { data: { t: word.start, e: word.end } }, word.word);
    if (word.score < UNSURE) shown.className = "unsure";
    (open?.node ?? line).append(shown);
    position = end + 1;
  }
}

function openName(entity) {
  const node = el("button", { type: "button", className: labelClass(entity.label), data: { label: entity.label, t: entity.start } });
  if (entity.score !== undefined) node.title = `${Math.round(100 * entity.score)} %`;
  return { node, end: entity.end_char };
}

function showNames({ segments }) {
  const groups = new Map();
  for (const entity of segments.flatMap((segment) => segment.entities)) {
    const names = groups.get(entity.label) ?? groups.set(entity.label, new Map()).get(entity.label);
    names.set(entity.text, [...(names.get(entity.text) ?? []), entity.start]);
  }
  return [...groups].sort().flatMap(([label, names]) => [
    el("h2", { className: labelClass(label) }, label),
    el("ul", {}, ...[...names].map(([name, times]) => el("li", {}, name,
      ...times.map((time) => el("button", { type: "button", className: "dim", data: { t: time } }, clock(time)))))),
  ]);
}

function jump(event) {
  const target = event.target.closest("button[data-t]") ?? event.target.closest("[data-t]"); // a name from its beginning
  if (!target) return;
  seek(Number(target.dataset.t));
  audio.play().catch(() => {}); // refused by some settings; the player stands where it should
}

function seek(time) {
  audio.currentTime = time;
  light(time + 0.001);
}

function wordAt(time) {
  let low = 0, high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= time) low = middle + 1; else high = middle;
  }
  const word = words[low - 1];
  return word && time < Number(word.dataset.e) ? word : null;
}

function light(time) {
  const word = wordAt(time);
  if (word === lit) return;
  lit?.classList.remove("now");
  if (word) {
    word.classList.add("now");
    const box = word.getBoundingClientRect();
    if (box.bottom > innerHeight || box.top < 140) word.scrollIntoView({ block: "center" });
  }
  lit = word;
}

function follow() {
  light(audio.currentTime);
  if (!audio.paused && audio.isConnected) requestAnimationFrame(follow);
}

export function leave() {
  audio?.pause();
  audio = null;
}
