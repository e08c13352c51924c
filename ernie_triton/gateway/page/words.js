// The page's words in both languages; `wordsOf` gives those of one.
const WORDS = {
  en: {
    title: "Try a pipeline", skip: "To the form", key: "API key", pipeline: "Pipeline",
    run: "Ask", running: "Asking…", example: "Example", shortcut: "Ctrl+Enter asks",
    same: "The same request", copy: "Copy", copied: "Copied", link: "Link to this request",
    input: "Text", pair: "Second text", question: "Question", query: "Query", documents: "Documents, one a line", options: "Options, one a line", mask: (place) => `[MASK] ${place}`, schema: "Schema (JSON, or one name)", context: "Context",
    sentences: "Sentences, one a line", none: "Nothing was found.", noAnswer: "No answer.",
    truncated: "The model read only the start of the text.",
    selected: "Labels that apply", likeliest: "Likeliest labels", best: "Best answers",
    time: "Time in ms", browser: "whole, in this browser", gateway: "in the gateway",
    model: "of it, for the pipeline", similarity: "Cosines", lateInteraction: "Late interaction: each row a query, the mean over its tokens",
    noPipelines: "No pipeline answers. Is its server running?",
    needsKey: "This gateway wants an API key; enter it above.",
    unreachable: "The gateway does not answer.", scored: "Score",
    away: "does not answer now", tokens: "Tokens and cuts", stage: (name) => `in the stage ${name}`,
    tokensRead: (count) => `The model reads ${count} tokens, special ones included.`,
    cutHere: "the model reads no further", windowStarts: (one) => `window ${one} begins`,
    windowEnds: (one) => `window ${one} ends`, mean: (count) => ` (mean of ${count})`,
    tasks: {
      seq_cls: "one label", multi_label: "every label that applies", regression: "a score",
      rerank: "documents by relevance", choice: "the best option", cloze: "tokens for each [MASK]", extraction: "spans that a schema names",
      token_cls: "entities", qa: "answers from a context", embedding: "vectors", sparse: "weights of tokens, by their ids", colbert: "vectors of tokens",
    },
  },
  zh: {
    title: "试用流水线", skip: "跳到表单", key: "API 密钥", pipeline: "流水线",
    run: "提问", running: "请稍候…", example: "示例", shortcut: "按 Ctrl+Enter 提问",
    same: "同样的请求", copy: "复制", copied: "已复制", link: "此请求的链接",
    input: "文本", pair: "第二个文本", question: "问题", query: "查询", documents: "文档，每行一个", options: "选项，每行一个", mask: (place) => `第 ${place} 个 [MASK]`, schema: "模式（JSON，或一个名称）", context: "上下文",
    sentences: "句子，每行一句", none: "没有找到。", noAnswer: "没有答案。",
    truncated: "文本过长，模型只读了开头。",
    selected: "符合的标签", likeliest: "最可能的标签", best: "最佳答案",
    time: "耗时（毫秒）", browser: "浏览器内总计", gateway: "网关内",
    model: "其中流水线", similarity: "余弦相似度", lateInteraction: "后期交互：每行一个查询，取各词元的平均",
    noPipelines: "没有流水线应答。服务器在运行吗？",
    needsKey: "此网关需要 API 密钥，请在上方输入。",
    unreachable: "网关没有应答。", scored: "分数",
    away: "目前没有应答", tokens: "分词与截断", stage: (name) => `${name} 阶段`,
    tokensRead: (count) => `模型读入 ${count} 个词元（含特殊词元）。`,
    cutHere: "模型只读到这里", windowStarts: (one) => `窗口 ${one} 开始`,
    windowEnds: (one) => `窗口 ${one} 结束`, mean: (count) => `（${count} 次平均）`,
    tasks: {
      seq_cls: "一个标签", multi_label: "所有符合的标签", regression: "一个分数",
      rerank: "按相关性排序文档", choice: "选出最佳选项", cloze: "填补 [MASK]", extraction: "按模式抽取信息",
      token_cls: "实体", qa: "从上下文中找答案", embedding: "向量", sparse: "词元权重（按编号）", colbert: "词元向量",
    },
  },
};

export function wordsOf(language) {
  return WORDS[language];
}
