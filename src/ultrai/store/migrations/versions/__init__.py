"""The changes of the tables, oldest first; their ids are listed in `ultrai.store.schema`."""
