"""The two companion papers: the mean-field model, sub-spaces and plasticity; one hidden layer and its feature space."""
