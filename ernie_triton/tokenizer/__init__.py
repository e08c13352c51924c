"""Texts to token ids, with the place of each token in its text.

`encoder` looks a batch up in `character_table`; words between the characters go through
`word_cache` or `piece_table`, and texts that the table does not cover through `fallback`. `windows`
covers long texts by overlapping rows. Ids are equal to transformers' slow `BertTokenizer`: a change
here is tested against it. Another kind of tokenizer would be a module beside `encoder`.
"""
