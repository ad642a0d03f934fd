"""3x3 convolution with a quarter of the multiplications."""
