"""A student of any shape learns what its teacher knows."""
