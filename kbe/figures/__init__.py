"""From measured data to matplotlib Figures: one file a chapter, one function a figure; `style`, `bands` for all."""
