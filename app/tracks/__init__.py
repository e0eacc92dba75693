"""The labels: tracks, edits with undo, the store, formats in and out."""
