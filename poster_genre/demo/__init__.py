"""The demo of ``poster-genre demo``.

run              draw, train, evaluate, write the files
drawn_posters    posters as arrays to train on, and the picture with their predictions
colour_baseline  logistic regression on colour histograms, beside which the network is measured
"""
