"""One file a chapter, one function a figure: each takes measured data and returns a matplotlib Figure."""
