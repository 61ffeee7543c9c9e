// Elements, times and requests. Text from the archive becomes text nodes only, never HTML.

export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "data") Object.assign(node.dataset, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

export function clock(seconds) {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, "0"));
  return (whole >= 3600 ? `${Math.floor(whole / 3600)}:` : "") + parts.join(":");
}

export function labelClass(label) {
  return `name ${["PER", "ORG", "LOC"].includes(label) ? label : ""}`.trim();
}

export async function ask(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value !== undefined);
  const response = await fetch(given.length ? `${path}?${new URLSearchParams(given)}` : path);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error.message);
  return answer;
}

export function address(view, parameters) {
  return `#/${view}?${new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== ""))}`;
}
