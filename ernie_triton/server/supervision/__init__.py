"""Keep a server's stages alive, and let its requests finish before a stop.

`supervisor` brings back stages that ended, stand still, or that `stuck_stages` finds.
`supervision_options` has the options of it.
"""
