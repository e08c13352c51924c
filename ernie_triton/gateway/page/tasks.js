// Each task: its endpoint, its fields with an example, the body of a request, and its view.
import { bars, cosine, element, heatMap, markedText, meanMaxSim, note, number, tree } from "/page/views.js";

const TOP = 10;
const textField = (name, example, rows = 3) => ({ name, example, rows });

function labels(answer, asked, words) {
  const [result] = answer.results;
  const cut = result.truncated ? [note(words.truncated)] : [];
  if (!result.likeliest) return [bars(result.labels), ...cut];
  const chosen = new Set(result.labels.map((label) => label.id));
  const names = result.labels.map((label) => label.name).join("、");
  return [
    element("h2", words.selected), element("p", names || words.none),
    element("h2", words.likeliest), bars(result.likeliest, (label) => chosen.has(label.id)), ...cut,
  ];
}

function entities(answer, asked, words) {
  const found = answer.results[0].entities;
  return [markedText(asked.input[0], found), ...(found.length ? [] : [note(words.none)])];
}

function answers(answer, asked, words) {
  const [best] = answer.results;
  const marks = best.start < 0 ? [] : [{ start: best.start, end: best.end, label: "" }];
  const named = best.candidates.map((one) => ({ name: one.text || words.noAnswer, score: one.score }));
  return [
    element("p", best.start < 0 ? words.noAnswer : best.text, "big"),
    markedText(asked.context[0], marks), element("h2", words.best), bars(named),
  ];
}

function score(answer, asked, words) {
  const [result] = answer.results;
  const cut = result.truncated ? [note(words.truncated)] : [];
  return [element("h2", words.scored), element("p", number(result.value), "big"), ...cut];
}

function vectors(answer, asked, words) {
  return [element("h2", words.similarity), heatMap(asked.input, answer.data.map((one) => one.embedding), cosine)];
}

function ranking(answer, asked) {
  return [bars(answer.results.map((one) => ({
    name: asked.documents[one.index], score: one.relevance_score,
  })))];
}

function chosen(answer, asked, words) {
  const cut = answer.truncated.some((one) => one) ? [note(words.truncated)] : [];
  const options = asked.options.map((name, place) => ({ name, score: answer.probabilities[place], place }));
  return [
    element("p", answer.option, "big"), element("h2", words.best),
    bars(options, (one) => one.place === answer.index), ...cut,
  ];
}

function extracted(answer, asked, words) {
  const [found] = answer.results;
  const marks = Object.entries(found).flatMap(([label, spans]) => spans
    .filter((span) => span.start >= 0).map((span) => ({ ...span, label, score: span.probability })));
  const names = Object.keys(found);
  return [markedText(asked.input[0], marks), names.length ? tree(found) : note(words.none)];
}

function filled(answer, asked, words) {
  return answer.results[0].masks.flatMap((tokens, place) => [
    element("h2", words.mask(place + 1)),
    bars(tokens.map((one) => ({ name: one.token, score: one.probability }))),
  ]);
}

function weighed(answer) {
  const { indices, values } = answer.results[0];
  const found = indices.map((id, place) => ({ name: `${id}`, score: values[place] }));
  return [bars(found.sort((one, other) => other.score - one.score))];
}

function tokenMatches(answer, asked, words) {
  const vectors = answer.results.map((one) => one.vectors);
  return [element("h2", words.lateInteraction), heatMap(asked.input, vectors, meanMaxSim)];
}

function schemaOf(text) { // a plain name needs no quotes
  try {
    return JSON.parse(text);
  } catch (error) {
    return text;
  }
}

const lines = (text) => text.split("\n").filter((line) => line.trim());
const PAIR = textField("pair", "花呗可以提前还清吗");
const single = (texts) => ({ input: [texts.input] });
const paired = (texts) => ("pair" in texts ? { ...single(texts), pair: [texts.pair] } : single(texts));

const labelled = {
  path: "/v1/classify", view: labels,
  fields: (inputs) => inputs.includes("text_pair")
    ? [textField("input", "花呗怎么提前还款"), PAIR] : [textField("input", "国足客场2:1逆转取胜，武磊梅开二度")],
  body: (texts) => ({ ...paired(texts), top_k: TOP }),
};

export const TASKS = {
  seq_cls: labelled,
  multi_label: labelled,
  regression: { ...labelled, path: "/v1/score", view: score, body: paired },
  rerank: {
    path: "/v1/rerank", view: ranking,
    fields: () => [
      textField("query", "花呗怎么提前还款", 2),
      { ...textField("documents", "今天天气很好\n花呗可以提前还清吗\n怎么关闭花呗", 6), word: "documents" },
    ],
    body: (texts) => ({ query: texts.query, documents: lines(texts.documents) }),
    tokens: (asked) => ({ input: asked.documents.map(() => asked.query), pair: asked.documents }),
  },
  choice: {
    path: "/v1/choose", view: chosen,
    fields: () => [
      textField("context", "陈思远毕业于武汉理工大学，现任教授。", 4), textField("question", "陈思远毕业于哪所学校？", 2),
      { ...textField("options", "北京大学\n浙江大学\n武汉理工大学", 4), word: "options" },
    ],
    body: (texts) => ({ context: texts.context, question: texts.question, options: lines(texts.options) }),
    tokens: (asked) => ({ input: asked.options.map(() => asked.context), pair: asked.options }),
  },
  extraction: {
    path: "/v1/extract", view: extracted,
    fields: () => [
      textField("input", "王芳在北京大学工作。", 6),
      { ...textField("schema", '[{"人物": ["工作单位"]}]', 3), word: "schema" },
    ],
    body: (texts) => ({ ...single(texts), schema: schemaOf(texts.schema) }),
    tokens: (asked) => ({ input: asked.input }),
  },
  cloze: {
    path: "/v1/fill", view: filled, body: (texts) => ({ ...single(texts), top_k: TOP }),
    fields: () => [textField("input", "今天天[MASK]晴朗。他买了三[MASK]小说。", 4)],
    tokens: (asked) => ({ input: asked.input }),
  },
  token_cls: {
    path: "/v1/entities", view: entities, body: single,
    fields: () => [textField("input", "新华社记者王芳从上海报道", 6)],
  },
  qa: {
    path: "/v1/answer", view: answers,
    fields: () => [
      textField("question", "大桥全长多少米？", 2),
      textField("context", "济阳黄河大桥位于山东省济南市，全长2023米，于1982年建成通车。", 8),
    ],
    body: (texts) => ({ question: [texts.question], context: [texts.context] }),
    tokens: (asked) => ({ input: asked.question, pair: asked.context }),
  },
  sparse: {
    path: "/v1/sparse", view: weighed, body: single,
    fields: () => [textField("input", "花呗怎么提前还款", 4)],
  },
  colbert: {
    path: "/v1/colbert", view: tokenMatches,
    fields: () => [{ ...textField("input", "花呗怎么提前还款\n花呗可以提前还清吗\n今天天气很好", 6), word: "sentences" }],
    body: (texts) => ({ input: lines(texts.input) }),
  },
  embedding: {
    path: "/v1/embeddings", view: vectors,
    fields: () => [{ ...textField("input", "花呗怎么提前还款\n花呗可以提前还清吗\n今天天气很好", 6), word: "sentences" }],
    body: (texts) => ({ input: lines(texts.input) }),
  },
};
