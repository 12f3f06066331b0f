"""The book's upkeep: what a chapter's execution depends on, executing, comparing, building, storing."""
