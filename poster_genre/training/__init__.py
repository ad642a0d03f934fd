"""From a data set to a trained model.

training_run    the command ``poster-genre train``: a data set in, a run folder out
fit             the weights: arrays of posters in, a ``TrainedModel`` out
ensemble_run    the command ``poster-genre ensemble``: model files in, one model file out
settings        the options of ``train``
run_folder      the files of a run, and whether a run may start or be resumed in a folder
"""
