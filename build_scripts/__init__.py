"""Scripts that build, train and compress; the code is `ernie_triton.build` and `.training`."""
