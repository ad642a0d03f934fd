"""The networks, what a trained one consists of, and the file that holds it.

compact, original           the two architectures; ``networks`` registers and builds them
spec                        what a network is built, fed and trained with
network_parts               backbone, neck and head of a network
trained_model, predictions  probabilities and embeddings of posters; predictions as the commands show them
calibration, confidence     probabilities that match frequencies, and which of them are sure
thresholds                  from which probability a genre is named
ensemble                    several networks as one
model_file, weight_budget   reading and writing model files, with a limit on the memory a file may claim
"""
