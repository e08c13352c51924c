"""The needs of a server: checked at each start, and in a table by `doctor`.

`findings` holds one function for each thing that can be wrong. `leftovers` removes what killed
servers have left.
"""
