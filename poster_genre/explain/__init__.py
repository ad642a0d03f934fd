"""Why a genre was named: Grad-CAM, occlusion, and every layer's numbers."""
