"""Texts to token ids, with the place of each token in its text.

`encoder` looks a batch up in `character_table`; words between the characters go through
`word_cache` or `piece_table`, and texts that the table does not cover through `fallback`. Ids are
equal to transformers' slow `BertTokenizer`: a change here is tested against it. `document_texts`
reads SentencePiece's and byte-level tokens as a `tokenizer.json` says, and `split_pieces` those of
ERNIE-M. `windows` covers long texts
by overlapping rows. Another kind of tokenizer would be a module beside `document_texts`.
"""
