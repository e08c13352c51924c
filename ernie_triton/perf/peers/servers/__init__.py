"""The peers: small HTTP servers, each in the form that its framework's documents recommend.

Each is started with a checkpoint's folder and a port, and prints "ready" once it answers.
"""
