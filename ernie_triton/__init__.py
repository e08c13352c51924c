"""The contract of ernie-triton: what the build scripts, the server's stages and the clients share.

Importing it costs NumPy alone.
"""

__version__ = "0.1.0"
