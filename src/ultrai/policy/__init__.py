"""Pure decisions: values in, values out; no await, no clock, no I/O, no randomness of its own."""
