"""What a notebook adds: magics, names in and out, output by node, tracebacks, completion."""
