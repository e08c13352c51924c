"""The clients of each task: what they send, which outputs they ask for, and what they return.

A module has a codec, which reads a reply, and a blocking and an asyncio client over it. `retrieval`
has what `sparse` and `colbert` share, `vectors` what is done with vectors after they arrive.
"""
