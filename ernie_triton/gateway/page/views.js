// Parts of an answer as elements. Places count characters (code points), as the gateway's do.
const HUES = [210, 25, 130, 280, 345, 60, 180, 310];

export function element(name, text = "", kind = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

export function note(text) {
  return element("p", text, "quiet");
}

export function number(value) {
  return value.toFixed(4);
}

export function bars(labels, isChosen = () => true, shown = number) {
  const grid = element("div", "", "bars");
  const most = Math.max(1, ...labels.map((label) => label.score));
  for (const label of labels) {
    const bar = element("div", "", isChosen(label) ? "bar" : "bar dim");
    const filled = element("div");
    filled.style.width = `${Math.max(0, (label.score / most) * 100)}%`;
    bar.append(filled);
    grid.append(element("span", label.name, "name"), bar, element("span", shown(label.score), "number"));
  }
  return grid;
}

export function markedText(text, marks) {
  const characters = Array.from(text);
  const shown = element("div", "", "text");
  shown.tabIndex = 0;
  const hues = new Map();
  let at = 0;
  for (const mark of [...marks].sort((one, other) => one.start - other.start)) {
    if (mark.start < at) continue; // inside the one before
    shown.append(characters.slice(at, mark.start).join(""));
    if (!hues.has(mark.label)) hues.set(mark.label, HUES[hues.size % HUES.length]);
    const marked = element("mark", characters.slice(mark.start, mark.end).join(""));
    marked.style.backgroundColor = `hsl(${hues.get(mark.label)} 70% 60% / 0.4)`;
    if (mark.label) marked.append(element("small", mark.label));
    if (mark.score !== undefined) marked.title = `${mark.label} ${number(mark.score)}`;
    shown.append(marked);
    at = mark.end;
  }
  shown.append(characters.slice(at).join(""));
  return shown;
}

export function tree(spansByName) {
  const list = element("ul", "", "tree");
  for (const [name, spans] of Object.entries(spansByName)) {
    for (const span of spans) {
      const item = element("li");
      item.append(element("strong", `${name}: `), span.text, element("small", ` ${number(span.probability)}`));
      if (Object.keys(span.relations).length) item.append(tree(span.relations));
      list.append(item);
    }
  }
  return list;
}

export function heatMap(texts, found, likeness) {
  const table = element("table");
  const head = table.createTHead().insertRow();
  head.append(element("th"), ...texts.map((_, place) => element("th", String(place + 1))));
  const body = table.createTBody();
  found.forEach((one, place) => {
    const row = body.insertRow();
    const name = element("th", `${place + 1}. ${texts[place]}`);
    name.title = texts[place];
    row.append(name, ...found.map((other) => heatCell(likeness(one, other))));
  });
  const wide = element("div", "", "wide");
  wide.tabIndex = 0;
  wide.append(table);
  return wide;
}

export function tokenRow(row, words) {
  const shown = element("div", "", "tokens");
  shown.tabIndex = 0;
  shown.append(element("p", words.tokensRead(row.count), "quiet"));
  row.texts.forEach((text, place) => {
    const line = element("div", "", "text");
    const starts = place === row.texts.length - 1 ? row.windows.map(([first]) => first) : [];
    const ends = starts.length > 1 ? row.windows.map(([, last]) => last) : [];
    text.tokens.forEach((token, at) => {
      if (at === text.read) line.append(cutMark(words.cutHere));
      const window = starts.length > 1 ? starts.indexOf(at) : -1;
      if (window >= 0) line.append(cutMark(words.windowStarts(window + 1)));
      const one = element("span", token, at < text.read ? "token" : "token unread");
      one.title = `${text.ids[at]} · ${text.offsets[at].join("–")}`;
      line.append(one);
      if (ends.includes(at + 1)) line.append(cutMark(words.windowEnds(ends.indexOf(at + 1) + 1)));
    });
    shown.append(line);
  });
  return shown;
}

function cutMark(text) {
  return element("b", `✂ ${text}`, "cut");
}

function heatCell(value) {
  const cell = element("td", value.toFixed(3), "heat");
  const strength = Math.max(0, Math.min(1, value));
  cell.style.backgroundColor = `hsl(${220 - 190 * strength} 80% ${88 - 22 * strength}%)`;
  return cell;
}

export function cosine(one, other) {
  let product = 0, ones = 0, others = 0;
  one.forEach((value, place) => {
    product += value * other[place];
    ones += value * value;
    others += other[place] * other[place];
  });
  return ones && others ? product / Math.sqrt(ones * others) : 0;
}

export function meanMaxSim(query, text) { // of vectors of tokens
  const best = query.map((one) => Math.max(...text.map((other) => cosine(one, other))));
  return best.reduce((sum, value) => sum + value, 0) / best.length;
}
