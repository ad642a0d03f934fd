"""Posters and their genres.

dataset, train_csv, splits     the posters with their labels, from train.csv; the train, val and test splits
archives, poster_archive       the data set's folder or zip: ``folder_archive``, ``zip_archive``
image_reader, transforms       from a picture file to the network's input
arrays, cache, cache_entry     posters as arrays, and the cache of decoded images
decoding                       many images decoded on several threads
augment                        random changes of posters for training
download, git_tree             the download of the data set and its verification
inspection, defects            what a data set contains and what is wrong with it; ``inspection_report`` and
                               ``inspection_plot`` show it
"""
