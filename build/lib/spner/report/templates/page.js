"use strict";
// The list of utterances: read once, filtered in one pass, drawn a page at a time. Texts enter as text nodes only.
{
  const PAGE = 50;
  const KINDS = JSON.parse(document.getElementById("kinds").textContent);
  const CORRECT = KINDS.indexOf("correct");
  const form = document.getElementById("filters");
  const sources = [...document.querySelectorAll("script.utterances")];
  const collator = new Intl.Collator("en");
  let shown = [];
  let page = 0;

  const byId = (id) => document.getElementById(id);
  const words = (kind) => kind.replaceAll("_", " ");
  const number = (n) => n.toLocaleString("en");

  function make(tag, className, ...children) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...children);
    return element;
  }

  function readEntities(flat) {
    const entities = [];
    for (let i = 0; i < flat.length; i += 4) {
      entities.push({ label: flat[i], start: flat[i + 1], end: flat[i + 2], kind: flat[i + 3] });
    }
    return entities;
  }

  // An entity that both sides share counts once: on the reference's side.
  function readUtterance([id, ref, hyp, columns, refs, hyps], place) {
    const utterance = { id, place, ref, hyp: hyp === 0 ? ref : hyp, columns, refs: readEntities(refs), hyps: readEntities(hyps) };
    const spurious = utterance.hyps.filter((e) => KINDS[e.kind] === "spurious");
    utterance.counted = spurious.length ? utterance.refs.concat(spurious) : utterance.refs;
    utterance.wordErrors = 0;
    for (const column of columns || "") if (column !== "=") utterance.wordErrors += 1;
    utterance.entityErrors = utterance.counted.filter((e) => e.kind > -1 && e.kind !== CORRECT).length;
    return utterance;
  }

  const cache = new Map();
  function load(number) {
    if (!cache.has(number)) {
      const { labels, utts } = JSON.parse(sources[number].textContent);
      cache.set(number, { labels, audio: sources[number].dataset.audio, utterances: utts.map(readUtterance) });
    }
    return cache.get(number);
  }

  function option(value, text) {
    const element = make("option", "", text);
    element.value = value;
    return element;
  }

  function fillSelects(source) {
    const kinds = KINDS.map(() => 0);
    const labels = source.labels.map(() => 0);
    let wordErrors = 0;
    let entityErrors = 0;
    for (const utterance of source.utterances) {
      wordErrors += utterance.wordErrors > 0;
      entityErrors += utterance.entityErrors > 0;
      for (const entity of utterance.counted) {
        if (entity.kind > -1) kinds[entity.kind] += 1;
        labels[entity.label] += 1;
      }
    }
    const { kind, label } = form.elements;
    const chosen = [kind.value, label.value];
    kind.replaceChildren(
      option("", "any"), option("words", `word errors (${number(wordErrors)} utterances)`),
      option("entities", `entity errors (${number(entityErrors)} utterances)`),
      ...KINDS.map((name, i) => option(name, `${words(name)} (${number(kinds[i])})`)));
    label.replaceChildren(
      option("", "any"),
      ...[...source.labels].sort(collator.compare).map((name) => option(name, `${name} (${number(labels[source.labels.indexOf(name)])})`)));
    ["kind", "label"].forEach((name, i) => choose(name, chosen[i]));
  }

  function matcher(source) {
    const kind = form.elements.kind.value;
    const label = form.elements.label.value ? source.labels.indexOf(form.elements.label.value) : -1;
    const text = form.elements.q.value.trim().toLowerCase();
    const kindNumber = KINDS.indexOf(kind);
    const fits = (entity) => (label < 0 || entity.label === label)
      && (kindNumber < 0 || entity.kind === kindNumber) && (kind !== "entities" || (entity.kind > -1 && entity.kind !== CORRECT));
    return (utterance) => {
      if (kind === "words" && !utterance.wordErrors) return false;
      if ((label >= 0 || kindNumber >= 0 || kind === "entities")
        && !utterance.refs.some(fits) && !utterance.hyps.some(fits)) return false;
      return !text || utterance.id.toLowerCase().includes(text) || utterance.ref.toLowerCase().includes(text)
        || utterance.hyp.toLowerCase().includes(text);
    };
  }

  function filter() {
    const source = load(Number(form.elements.set.value));
    shown = source.utterances.filter(matcher(source));
    const sort = form.elements.sort.value;
    const cost = { entities: (u) => u.entityErrors * 1e6 + u.wordErrors, words: (u) => u.wordErrors * 1e6 + u.entityErrors }[sort];
    if (cost) shown.sort((a, b) => cost(b) - cost(a));
    draw(0);
    byId("count").textContent = `${number(shown.length)} of ${number(source.utterances.length)} utterances`;
  }

  function draw(newPage) {
    const last = Math.max(0, Math.ceil(shown.length / PAGE) - 1);
    page = Math.min(Math.max(0, newPage), last);
    const source = load(Number(form.elements.set.value));
    byId("list").replaceChildren(...shown.slice(page * PAGE, (page + 1) * PAGE).map((u) => drawUtterance(u, source)));
    byId("page").textContent = `page ${number(page + 1)} of ${number(last + 1)}`;
    for (const button of document.querySelectorAll("button[data-step]")) {
      button.disabled = button.dataset.step < 0 ? page === 0 : page === last;
    }
  }

  function drawUtterance(utterance, source) {
    const facts = make("header", "", make("bdi", "id", utterance.id), summary(utterance));
    if (source.audio) facts.prepend(player(utterance, source.audio));
    const item = make("li", "utt", facts, ...drawSides(utterance, source.labels));
    if (form.elements.others.checked) {
      for (const [title, other, labels] of others(utterance.id)) {
        item.append(make("header", "", make("bdi", "", title), summary(other)), ...drawSides(other, labels));
      }
    }
    return item;
  }

  // Nothing is read before it is played.
  function player(utterance, folder) {
    const audio = make("audio");
    audio.controls = true;
    audio.preload = "none";
    audio.src = `${folder}/${utterance.place + 1}.flac`;
    audio.setAttribute("aria-label", `recording of ${utterance.id}`);
    return audio;
  }

  function listen(list) {
    list.addEventListener("play", (event) => {
      for (const other of list.querySelectorAll("audio")) if (other !== event.target) other.pause();
    }, true);
    list.addEventListener("error", (event) => {
      event.target.replaceWith(make("span", "lost", `no recording at ${decodeURIComponent(event.target.getAttribute("src"))}: keep that folder beside this page`));
    }, true);
  }

  function summary(utterance) {
    const parts = [];
    if (utterance.wordErrors) parts.push(`${utterance.wordErrors} word error${utterance.wordErrors > 1 ? "s" : ""}`);
    if (utterance.entityErrors) parts.push(`${utterance.entityErrors} entity error${utterance.entityErrors > 1 ? "s" : ""}`);
    return make("span", "", parts.join(", "));
  }

  // The same utterance in the other experiments' scores of the same set.
  function* others(id) {
    const chosen = Number(form.elements.set.value);
    for (const [i, element] of sources.entries()) {
      if (i === chosen || element.dataset.set !== sources[chosen].dataset.set) continue;
      const other = load(i);
      other.byId ??= new Map(other.utterances.map((u) => [u.id, u]));
      if (other.byId.has(id)) yield [element.dataset.title, other.byId.get(id), other.labels];
    }
  }

  function drawSides(utterance, labels) {
    const [ref, hyp] = [utterance.ref, utterance.hyp].map((text) => (text ? text.split(" ") : []));
    const [refMarks, hypMarks] = [marks(utterance.refs, ref.length), marks(utterance.hyps, hyp.length)];
    const pairs = make("div", refMarks.some(Boolean) || hypMarks.some(Boolean) ? "pairs" : "pairs bare", sideNames());
    pairs.dir = "auto";
    pairs.setAttribute("aria-hidden", "true");
    let i = 0;
    let j = 0;
    for (const column of utterance.columns || "=".repeat(ref.length)) {
      const r = column === "i" ? null : i++;
      const h = column === "d" ? null : j++;
      pairs.append(make("span", `pair ${column === "=" ? "" : column}`,
        tag(ref, refMarks[r], r, labels), word("word r", ref[r], refMarks[r] ?? bridged(r, refMarks, i), r),
        word("word h", hyp[h], hypMarks[h] ?? bridged(h, hypMarks, j), h), tag(hyp, hypMarks[h], h, labels)));
    }
    const spoken = make("p", "sr", `reference: ${inline(ref, utterance.refs, labels)}; hypothesis: ${inline(hyp, utterance.hyps, labels)}`);
    return [pairs, spoken, ...phrases(utterance, labels)];
  }

  function sideNames() {
    const names = ["", "ref", "hyp", ""].map((name) => make("span", name ? "side" : "tag", name));
    for (const name of names) name.dir = "ltr"; // else the words' direction is taken from here
    return make("span", "pair", ...names);
  }

  function marks(entities, length) {
    const marked = new Array(length).fill(null);
    for (const entity of entities) if (entity.end > -1) marked.fill(entity, entity.start, entity.end);
    return marked;
  }

  // A gap inside an entity belongs to it.
  function bridged(position, marked, next) {
    return position === null && next > 0 && marked[next - 1] === marked[next] ? marked[next] : null;
  }

  function word(className, text, entity, position) {
    const element = make("span", className, text ?? "");
    if (entity) {
      element.classList.add("in", `c${entity.label % 8}`);
      if (position === entity.start) element.classList.add("starts");
      if (position === entity.end - 1) element.classList.add("ends");
    }
    return element;
  }

  // A tag may stick out over the further words of its entity, but not over the next entity.
  function tag(text, entity, position, labels) {
    const element = make("span", "tag");
    element.dir = "ltr";
    if (entity && position === entity.start) {
      element.append(make("b", "", labels[entity.label]), ...kindMark(entity));
      const width = text.slice(entity.start, entity.end).join(" ").length;
      if (element.textContent.length <= width) element.classList.add("over");
    }
    return element;
  }

  function kindMark(entity) {
    if (entity.kind < 0) return [];
    return [make("span", `kind k${entity.kind}`, entity.kind === CORRECT ? "✓" : words(KINDS[entity.kind]))];
  }

  function phrases(utterance, labels) {
    return [["ref", utterance.refs], ["hyp", utterance.hyps]].filter(([, list]) => list.some((e) => e.end < 0)).map(([side, list]) =>
      make("p", "phrases", `${side}: `, ...list.map((e) => make("span", `in c${e.label % 8}`, make("b", "", labels[e.label]), " ", e.start))));
  }

  function inline(text, entities, labels) {
    const opened = text.slice();
    for (const entity of entities) {
      if (entity.end < 0) continue;
      const kind = entity.kind < 0 ? "" : `, ${words(KINDS[entity.kind])}`;
      opened[entity.start] = `[${labels[entity.label]}${kind}: ${opened[entity.start]}`;
      opened[entity.end - 1] += "]";
    }
    return opened.join(" ") || "nothing";
  }

  // The filters stand in the address, so that a view can be kept and the counts of the tables can lead to one.
  function readAddress() {
    const [anchor, query] = location.hash.slice(1).split("?");
    if (anchor !== "utterances" || query === undefined) return false;
    const values = new URLSearchParams(query);
    choose("set", values.get("set") ?? "0");
    fillSelects(load(Number(form.elements.set.value)));
    for (const name of ["kind", "label", "sort"]) choose(name, values.get(name) ?? "");
    form.elements.q.value = values.get("q") ?? "";
    form.elements.others.checked = values.has("others");
    return true;
  }

  // An address may come from anywhere: what a select does not offer is its first option.
  function choose(name, value) {
    const select = form.elements[name];
    select.value = value;
    if (select.selectedIndex < 0) select.selectedIndex = 0;
  }

  function writeAddress() {
    const values = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    history.replaceState(null, "", `#utterances?${values}`);
  }

  function goTo() {
    if (!readAddress()) return false;
    filter();
    byId("utterances").scrollIntoView();
    return true;
  }

  function start() {
    form.elements.set.replaceChildren(...sources.map((element, i) => option(String(i), element.dataset.title)));
    const sets = sources.map((element) => element.dataset.set);
    form.elements.others.parentElement.hidden = new Set(sets).size === sets.length;
    if (!goTo()) {
      fillSelects(load(0));
      filter();
    }
    form.addEventListener("input", (event) => {
      if (event.target.name === "set") fillSelects(load(Number(event.target.value)));
      filter();
      writeAddress();
    });
    listen(byId("list"));
    form.addEventListener("submit", (event) => event.preventDefault());
    addEventListener("popstate", goTo);
    for (const link of document.querySelectorAll('a[href^="#utterances?"]')) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        history.pushState(null, "", link.getAttribute("href"));
        goTo();
      });
    }
    for (const button of document.querySelectorAll("button[data-step]")) {
      button.addEventListener("click", () => {
        draw(page + Number(button.dataset.step));
        byId("filters").scrollIntoView();
      });
    }
  }

  // After the first paint: the tables are there at once, however long the list.
  if (form) requestAnimationFrame(() => setTimeout(start));
}
