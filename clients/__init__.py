"""Scripts that ask a served pipeline; the code is `ernie_triton.client`."""
