"""From a data set to a trained model in a run folder."""
