"""The terminal surface: reads flags, renders Events and Reports, decides nothing."""
